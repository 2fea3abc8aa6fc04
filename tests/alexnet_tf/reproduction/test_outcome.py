"""Outcomes: kept, found again by what they are of, and refused where they were changed."""

import json

import numpy as np
import pytest

from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import Config, TrainingConfig
from alexnet_tf.reproduction.identity import identity
from alexnet_tf.reproduction.outcome import Outcomes
from tests.alexnet_tf.reproduction import made_up

CONFIG = config_files.parse({"network": {"num_classes": 7, "input_size": 64}})
DATA = "a" * 64


def changed(**sections):
    return config_files.parse(
        {"network": {"num_classes": 7, "input_size": 64}, **sections}, "changed"
    )


@pytest.mark.parametrize(
    "sections",
    [
        {"training": {"seed": 9, "keep_checkpoints": 1, "log_every_steps": 3}},
        {"monitoring": {"every_epochs": 0}, "data": {"cache": "pixels"}},
        {"strategy": {"name": "mirrored"}},
    ],
)
def test_what_changes_no_training_is_the_same(sections):
    assert identity(changed(**sections), DATA) == identity(CONFIG, DATA)


@pytest.mark.parametrize(
    "sections",
    [
        {"training": {"epochs": 91}},
        {"data": {"flip": False}},
        {"data": {"held_out": {}}},
        {"optimizer": {"name": "lamb"}},
        {"optimizer": {"name": "sgdw"}},
        {"schedule": {"name": "cosine"}},
        {"schedule": {"rate": [[0, 0.011]]}},
        {"network": {"num_classes": 7, "input_size": 64, "layers": {"conv3": {"std": 0.02}}}},
    ],
)
def test_another_configuration_or_dataset_is_another(sections):
    own = identity(CONFIG, DATA)
    assert identity(changed(**sections), DATA) != own
    assert identity(CONFIG, "b" * 64) != own
    assert own.startswith("paper-")


def test_kinds_with_their_defaults_and_the_order_of_layers_count():
    configs = [changed(optimizer={"name": name}) for name in ("lamb", "sgdw", "moving-average")]
    layer = {"reads": "image", "units": 4, "kernel": 3}
    last = {"type": "dense", "tower": "a", "units": 7}
    middle = {"one": {"type": "conv", "units": 4, "kernel": 3}}
    middle |= {"two": {**middle["one"], "std": 0.5}}
    for kind, order in (("conv", "one two"), ("local", "one two"), ("conv", "two one")):
        rows = {"first": {"type": kind, **layer}, **{name: middle[name] for name in order.split()}}
        network = {
            "variant": "own",
            "towers": 1,
            "input_size": 16,
            "layers": {**rows, "last": last},
        }
        configs.append(config_files.parse({"network": network}))
    assert len({identity(config, DATA) for config in configs}) == 6


def test_a_setting_that_is_added_leaves_the_identity():
    class Training(TrainingConfig):
        added: int = 3

    class Newer(Config):
        training: Training = Training()
        added: tuple[int, ...] = (1, 2)

    tree = {**CONFIG.model_dump(), "training": {"epochs": 7}}
    old, new = Config(**tree), Newer(**tree)
    assert identity(new, DATA) == identity(old, DATA)
    assert identity(Newer(**tree, added=[1]), DATA) != identity(old, DATA)


def test_kept_and_found_again(tmp_path):
    rng = np.random.default_rng(0)
    wrong = rng.random(made_up.PICTURES) < 0.2
    outcome = made_up.outcome(CONFIG, DATA, 3, wrong, hours=None)
    path = Outcomes(tmp_path / "new").keep(outcome)
    assert path.name == f"{identity(CONFIG, DATA)}-seed-3.json"
    again = Outcomes(tmp_path / "new")
    assert again.unusable == []
    assert again.get(outcome.identity, 3) == outcome
    assert again.get(outcome.identity, 4) is None
    assert again.get(identity(CONFIG, "b" * 64), 3) is None
    assert again.of(outcome.identity) == [outcome]
    np.testing.assert_array_equal(again.get(outcome.identity, 3).wrong(10), wrong)
    assert not again.get(outcome.identity, 3).wrong(1, top=5).any()


def test_an_outcome_is_found_by_its_content_whatever_its_name(tmp_path):
    outcome = made_up.outcome(CONFIG, DATA)
    path = Outcomes(tmp_path).keep(outcome)
    path.rename(tmp_path / "mine.json")
    assert Outcomes(tmp_path).get(outcome.identity, 1) == outcome


def test_a_setting_that_was_added_since_has_its_default(tmp_path):
    """As if `training.flat_loss_steps` and `data.chunk` were newer than the outcome."""
    outcome = made_up.outcome(CONFIG, DATA)
    tree = json.loads(json.dumps(outcome.config))
    del tree["training"]["flat_loss_steps"], tree["data"]["chunk"]
    Outcomes(tmp_path).keep(outcome.model_copy(update={"config": tree, "identity": "older"}))
    assert Outcomes(tmp_path).get(identity(CONFIG, DATA), 1) is not None


def rewritten(path, **fields):
    """With another content, and its own checksum."""
    outcome = made_up.outcome(CONFIG, DATA).model_copy(update=fields)
    path.unlink()
    Outcomes(path.parent).keep(outcome)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: p.write_text(p.read_text()[:-30]), "it is damaged"),
        (lambda p: p.write_text("[]"), "it is damaged"),
        (lambda p: p.write_text("[" * 100_000), "it is damaged"),
        (lambda p: p.write_text("{}"), "it is damaged"),
        (lambda p: p.write_text(p.read_text().replace('"seed": 1', '"seed": 2')), "its checksum"),
        (lambda p: rewritten(p, seed=2), "seed 2 was trained with seed 1"),
        (lambda p: rewritten(p, pictures=3), "expected 3 truths"),
        (lambda p: rewritten(p, config={"network": {"widht": 1}}), "unknown key 'network.widht'"),
        (lambda p: rewritten(p, format=2), "format: Input should be 1"),
    ],
)
def test_what_was_damaged_or_changed_does_not_count_and_is_named(tmp_path, change, reason):
    outcome = made_up.outcome(CONFIG, DATA)
    other = made_up.outcome(CONFIG, DATA, seed=5)
    Outcomes(tmp_path).keep(other)
    change(Outcomes(tmp_path).keep(outcome))
    outcomes = Outcomes(tmp_path)
    [line] = outcomes.unusable
    assert f"{identity(CONFIG, DATA)}-seed-" in line
    assert reason in line
    assert "\n" not in line
    assert outcomes.get(outcome.identity, 1) is None
    assert outcomes.get(outcome.identity, 2) is None
    assert outcomes.get(outcome.identity, 5) == other
    outcomes.keep(outcome)
    assert Outcomes(tmp_path).get(outcome.identity, 1) == outcome
