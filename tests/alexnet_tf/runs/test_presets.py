"""Presets: a trained network in a directory of its own, and what a damaged or foreign one says."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf import evaluate, load_dataset, load_preset, load_run, new_head, train
from alexnet_tf.errors import ConfigError, JobError, RunError, UserError
from alexnet_tf.network.weights import weights_of
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs import presets
from alexnet_tf.runs.preset_files import PARTS, PRESET, WEIGHTS, write_description
from tests import tiny_datasets

CONFIG = """
network: {width: 0.05, input_size: 64, init_scaling: keep-variance}
training: {epochs: 1, global_batch_size: 10, flat_loss_steps: null}
schedule: {rate: [[0, 0.001]]}
monitoring: {every_epochs: 0}
"""
FILES = {*PARTS, PRESET, "README.md"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A run of one epoch on DATA, evaluated, and its preset."""
    root = tmp_path_factory.mktemp("presets")
    tiny_datasets.write(root / "data")
    (root / "tiny.yaml").write_text(CONFIG)
    assert train.main(arguments(root, "run")) == 0
    assert evaluate.main(["--run", str(root / "run"), "--data", str(root / "data")]) == 0
    load_run(root / "run").save_preset(root / "preset", license="CC0", intended_use="a test")
    return root


def arguments(root, run: str, *overrides: str) -> list[str]:
    files = ["--config", str(root / "tiny.yaml"), "--data", str(root / "data")]
    return [*files, "--run", str(root / run), *overrides]


@pytest.fixture
def copy(root, tmp_path):
    return shutil.copytree(root / "preset", tmp_path / "copy")


def images(root) -> np.ndarray:
    return np.stack([image for image, _ in load_dataset(root / "data", "validation")])


def test_it_is_the_network_that_was_saved(root):
    run, preset = load_run(root / "run"), load_preset(root / "preset")
    for name in ("probabilities", "features"):
        expected, received = (getattr(x, name)(images(root)) for x in (run, preset))
        np.testing.assert_array_equal(received, expected)
    assert (preset.config, preset.info, preset.classes) == (run.config, run.info, run.classes)
    assert preset.checkpoint == "newest"


def test_its_files_are_plain(root):
    """Arrays that NumPy reads without unpickling; texts."""
    found = {str(p.relative_to(root / "preset")) for p in (root / "preset").rglob("*.*")}
    assert found == {*FILES, "evaluation/validation-1-views.json"}
    with np.load(root / "preset" / WEIGHTS, allow_pickle=False) as stored:
        arrays = dict(stored)
    model = load_run(root / "run").model
    assert list(arrays) == [weight.name for weight in weights_of(model)]
    for weight in weights_of(model):
        np.testing.assert_array_equal(arrays[weight.name], weight.variable)
    card = (root / "preset" / "README.md").read_text()
    assert "20 images for training" in card
    assert "CC0" in card
    assert "a test" in card
    assert "| 10 of validation | 1 | newest |" in card


def test_of_the_best_checkpoint_it_says_so(root, tmp_path):
    load_run(root / "run", "best").save_preset(tmp_path / "best")
    assert load_preset(tmp_path / "best").checkpoint == "best"
    assert "the best checkpoint of its run" in (tmp_path / "best/README.md").read_text()
    assert load_run(tmp_path / "best", "best").checkpoint == "best"
    with pytest.raises(
        RunError, match=r"expected the newest checkpoint, which the preset .* alone"
    ):
        load_run(root / "preset", "best")


def test_weights_that_were_trained_on_have_no_errors_in_the_card(root, tmp_path):
    trained = load_run(root / "run")
    bias = weights_of(trained.model)[-1].variable
    bias.assign_add(tf.ones_like(bias))
    trained.save_preset(tmp_path / "changed")
    assert "No report on these very weights" in (tmp_path / "changed/README.md").read_text()
    assert list((tmp_path / "changed/evaluation").iterdir()) == []
    again = load_preset(tmp_path / "changed")
    np.testing.assert_array_equal(weights_of(again.model)[-1].variable, bias)


def test_errors_of_before_a_training_went_on_are_not_in_the_card(root, tmp_path):
    shutil.copytree(root / "run", tmp_path / "run")
    arguments_on = [*arguments(root, "run")[:4], "--run", str(tmp_path / "run")]
    assert train.main([*arguments_on, "training.epochs=2"]) == 0
    evaluated = ["--run", str(tmp_path / "run"), "--data", str(root / "data"), "--views", "10"]
    for number, evaluated_again in enumerate((False, True)):
        trained, preset = load_run(tmp_path / "run"), tmp_path / str(number)
        trained.save_preset(preset)
        names = [path.name for path in (preset / "evaluation").iterdir()]
        assert names == (["validation-10-views.json"] if evaluated_again else [])
        assert ("No report" in (preset / "README.md").read_text()) is not evaluated_again
        assert evaluate.main(evaluated) == 0


def test_saved_again_from_itself_it_is_the_same(root, tmp_path):
    load_preset(root / "preset").save_preset(
        tmp_path / "again", license="CC0", intended_use="a test"
    )
    for name in (*FILES, "evaluation/validation-1-views.json"):
        assert (tmp_path / "again" / name).read_bytes() == (root / "preset" / name).read_bytes()


def test_verbs_take_it_as_a_run_but_do_not_train_in_it(root, copy):
    report = copy / "evaluation/validation-1-views.json"
    of_the_run = json.loads(report.read_bytes())
    assert evaluate.main(["--run", str(copy), "--data", str(root / "data")]) == 0
    assert json.loads(report.read_bytes()) == of_the_run | {"runs": [str(copy)]}
    before = sorted(path.name for path in copy.iterdir())
    with pytest.raises(RunError, match=r"received the preset .* 'init_from=\{path: \S+, format"):
        train.main([*arguments(root, "run")[:4], "--run", str(copy)])
    assert sorted(path.name for path in copy.iterdir()) == before


def test_a_training_begins_with_it(root):
    still = ["schedule.rate=[[0, 0]]", f"init_from.path={root / 'preset'}"]
    assert train.main(arguments(root, "begun", *still)) == 0
    begun, given = load_run(root / "begun"), load_preset(root / "preset")
    np.testing.assert_array_equal(
        begun.probabilities(images(root)), given.probabilities(images(root))
    )


@pytest.mark.parametrize("name", [*PARTS, PRESET])
@pytest.mark.parametrize("damage", ["one bit", "cut", "gone"])
def test_any_damage_is_one_line(copy, name, damage):
    path = copy / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with pytest.raises(UserError) as raised:
        load_preset(copy)
    assert "\n" not in str(raised.value)
    assert str(copy) in str(raised.value)


def unlike(copy, change) -> str:
    """The line for weights that were changed together with their checksum."""
    with np.load(copy / WEIGHTS) as stored:
        arrays = dict(stored)
    change(arrays)
    np.savez(copy / WEIGHTS, **arrays)
    write_description(copy, "newest", {})
    with pytest.raises(RunError) as raised:
        load_preset(copy)
    return str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("fc8/bias"), "the network of config.yaml differ in fc8/bias"),
        (lambda a: a.update(more=np.zeros(3)), "the network of config.yaml differ in more"),
        (lambda a: a.update({"fc8/bias": np.zeros(9, np.float32)}), "expected fc8/bias of"),
        (lambda a: a.update({"fc8/bias": np.zeros(4)}), "expected fc8/bias of"),
        (lambda a: a.update({"fc8/bias": np.array([None] * 4)}), "received object for 'fc8/bias'"),
        (lambda a: a["fc8/bias"].fill(np.nan), "expected finite numbers in fc8/bias"),
    ],
)
def test_weights_that_do_not_fit_are_refused(copy, change, message):
    """Also where whoever changed them made the checksums anew; nothing is unpickled."""
    line = unlike(copy, change)
    assert message in line
    assert line.startswith(f"the preset {copy} is damaged: ")


def test_of_another_format_it_is_refused(copy):
    content = json.loads((copy / PRESET).read_bytes())
    (copy / PRESET).write_text(json.dumps(content | {"format": 2}))
    with pytest.raises(RunError, match=r"expected format 1 in preset\.json, received 2, which"):
        load_preset(copy)
    (copy / PRESET).write_text(json.dumps({"keras_version": "3.9"}))
    with pytest.raises(RunError, match=r"preset\.json is not that of alexnet_tf"):
        load_preset(copy)


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("config.yaml", r"; it is a run directory: load_run\('\S+'\)$"),
        ("saved_model.pb", r"; it is a SavedModel: tensorflow\.saved_model\.load\('\S+'\)$"),
        ("dataset_info.json", r"; it is a dataset: load_dataset\('\S+'\)$"),
        ("model.weights.h5", r"; it is a preset of another library$"),
        ("a", r"; it is a directory$"),
        (None, r", which is no directory$"),
    ],
)
def test_what_is_no_preset_is_told_with_what_it_is(tmp_path, file, what):
    if file:
        (tmp_path / file).write_text("")
    else:
        tmp_path = tmp_path / "none"
    with pytest.raises(RunError, match=rf"^expected a preset, .* received \S+{what}"):
        load_preset(tmp_path)


def test_it_appears_whole_and_replaces_nothing_but_a_preset(root, tmp_path, monkeypatch):
    trained = load_run(root / "run")
    with pytest.raises(ConfigError, match=r"expected a new directory, received .*overwrite=True"):
        trained.save_preset(root / "preset")
    with pytest.raises(ConfigError, match="expected a preset to replace, received"):
        trained.save_preset(root / "run", overwrite=True)
    trained.save_preset(tmp_path / "new/preset")
    trained.save_preset(tmp_path / "new/preset", license="mine", overwrite=True)
    card = (tmp_path / "new/preset/README.md").read_text()
    assert "mine" in card

    def full(*_arguments, **_arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(presets.np, "savez", full)
    with pytest.raises(JobError, match=r"cannot write .*preset: No space left on device"):
        trained.save_preset(tmp_path / "new/preset", overwrite=True)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["preset"]
    assert (tmp_path / "new/preset/README.md").read_text() == card


def test_another_network_than_its_configuration_says_is_no_preset(root, tmp_path):
    trained = load_run(root / "run")
    other = dataclasses.replace(trained, model=new_head(trained.model, 3))
    with pytest.raises(ConfigError, match=r"expected the network of its configuration: .* differ"):
        other.save_preset(tmp_path / "other")
    assert list(tmp_path.iterdir()) == []


def test_without_its_run_it_is_saved_without_reports(root, tmp_path):
    shutil.copytree(root / "run", tmp_path / "run")
    trained = load_run(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    trained.save_preset(tmp_path / "preset")
    assert run_directory.load(tmp_path / "preset").info == trained.info
    assert "No report on these very weights" in (tmp_path / "preset/README.md").read_text()
