"""What a finished run notes of itself, and older versions' outcomes that get it from their runs."""

import hashlib
import json

import numpy as np
import pytest

from alexnet_tf.config import files as config_files
from alexnet_tf.errors import RunError
from alexnet_tf.evaluation.packed import pack
from alexnet_tf.network import model as network
from alexnet_tf.network.weights import first_kernels, weights_of
from alexnet_tf.reproduction.completion import complete
from alexnet_tf.reproduction.finished_run import outcome_of
from alexnet_tf.reproduction.kernel_color import kernels_of
from alexnet_tf.reproduction.outcome import Outcomes
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.checkpoints import Checkpoints
from alexnet_tf.runs.stored_kernels import stored_first_kernels
from tests import tiny_datasets

EPOCH = {"kind": "epoch", "train loss": 1.0, "train top1_error": 0.5, "validation top1_error": 0.25}
ADDED = {"images_seen": None, "first_layer": None}


@pytest.fixture
def finished(tmp_path):
    """A run of two epochs that nothing was trained in, and its network."""

    def finished(path="runs/any/seed-1", **sections):
        if not (tmp_path / "data").exists():
            tiny_datasets.write(tmp_path / "data")
        tree = {"network": {"input_size": 64, "width": 0.05}, "training": {"epochs": 2, "seed": 1}}
        config = config_files.parse(tree | sections)
        run = run_directory.begin(tmp_path / path, config, tmp_path / "data")
        model = network.build(run.config.network, seed=7)
        named = {weight.name: weight.variable for weight in weights_of(model)}
        groups = {"weights": named}
        if config.optimizer.name == "moving-average":
            groups = {"averages": named, "weights": {k: v + 1 for k, v in named.items()}}
        Checkpoints(run.checkpoints).save(6, groups, {"epoch": 2, "step": 0})
        rows = [EPOCH | {"epoch": epoch, "train examples": 20} for epoch in (0, 1, 1)]
        (run.path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (run.path / "evaluation").mkdir()
        packed = pack(np.arange(10) < 3)
        report = {"dataset": run.info.fingerprint, "runs": ["."], "loss": 1.0}
        report |= {"top1_error": 0.3, "top5_error": 0.3, "wrong": {"top1": packed, "top5": packed}}
        for views in (1, 10):
            path = run.path / f"evaluation/validation-{views}-views.json"
            path.write_text(json.dumps(report | {"views": views}))
        return run, model

    return finished


@pytest.mark.parametrize("optimizer", ["momentum", "moving-average"])
def test_kernels_are_those_that_the_network_predicts_with(finished, optimizer):
    run, model = finished(optimizer={"name": optimizer})
    expected = first_kernels(model)
    assert [kernel.shape for kernel in expected] == [(11, 11, 3, 2)] * 2
    for received, kernel in zip(stored_first_kernels(run), expected, strict=True):
        np.testing.assert_array_equal(received, kernel)


def test_a_finished_run_notes_what_it_saw_and_its_kernels(finished):
    """20 images in each of two epochs; the second was done twice, and counts once."""
    run, model = finished()
    outcome = outcome_of(run.path)
    assert outcome.images_seen == 40
    assert outcome.first_layer == tuple(map(kernels_of, first_kernels(model)))


@pytest.mark.parametrize(
    "damage",
    [
        {"wrong": None},
        {"wrong": {"top1": "AA==", "top5": "AA=="}},  # of fewer pictures
        {"top1_error": None},
        {"loss": float("nan"), "top1_error": "much"},
        {"views": 2},
        {"runs": []},
    ],
)
def test_a_report_that_is_damaged_or_another_is_one_line(finished, damage):
    run, _ = finished()
    path = run.path / "evaluation/validation-1-views.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    with pytest.raises(RunError, match=r"expected .* report") as raised:
        outcome_of(run.path)
    assert "\n" not in str(raised.value)


def test_a_log_without_its_numbers_is_one_line(finished):
    run, _ = finished()
    rows = [{"kind": "epoch", "epoch": epoch, "train loss": "much"} for epoch in (0, 1)]
    (run.path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(RunError, match="expected a whole log") as raised:
        outcome_of(run.path)
    assert "\n" not in str(raised.value)


def test_one_tower_and_another_kind_of_layer(finished):
    one, _ = finished(network={"input_size": 64, "width": 0.05, "towers": 1})
    assert len(outcome_of(one.path).first_layer) == 1
    local = {"type": "local", "reads": "image", "units": 4, "kernel": 3, "pad": [0, 0]}
    layers = {"first": local, "last": {"type": "dense", "tower": "a", "units": 7}}
    tree = {"variant": "own", "towers": 1, "input_size": 16, "layers": layers}
    other, _ = finished("runs/other/seed-1", network=tree)
    assert outcome_of(other.path).first_layer == ()


def place(run, tmp_path):
    """The directory that a reproduction would have trained it in."""
    outcome = outcome_of(run.path)
    path = tmp_path / "runs" / outcome.identity / "seed-1"
    path.parent.mkdir()
    run.path.rename(path)
    return outcome, path


def test_an_older_outcome_is_made_whole_once(finished, tmp_path, capsys):
    outcome, _ = place(finished()[0], tmp_path)
    older = outcome.model_copy(update=ADDED | {"made": {"processor": "another"}})
    Outcomes(tmp_path / "outcomes").keep(older)
    outcomes = Outcomes(tmp_path / "outcomes")
    complete(outcomes, tmp_path / "runs")
    assert capsys.readouterr().out == "1 outcome of older versions made whole from the runs\n"
    expected = outcome.model_copy(update={"made": {"processor": "another"}})
    assert outcomes.get(outcome.identity, 1) == expected
    assert Outcomes(tmp_path / "outcomes").get(outcome.identity, 1) == expected
    complete(outcomes, tmp_path / "runs")
    assert capsys.readouterr().out == ""


def test_a_run_that_is_gone_or_another_or_damaged_adds_nothing(finished, tmp_path, capsys):
    outcome, path = place(finished()[0], tmp_path)
    older = outcome.model_copy(update=ADDED)
    others = [
        older.model_copy(
            update={"course": older.course.model_copy(update={"training_loss": (1, 2)})}
        ),
        older,
    ]
    for case, other in enumerate(others):
        outcomes = Outcomes(tmp_path / f"outcomes-{case}")
        outcomes.keep(other)
        if case:
            (path / "evaluation/validation-10-views.json").write_text("{")
        complete(outcomes, tmp_path / "runs")
        assert outcomes.get(outcome.identity, 1) == other
    shown = capsys.readouterr().out
    assert shown.startswith(f"the outcome of {path} stays as it is: expected a report of evaluate")
    assert shown.count("\n") == 1
    complete(outcomes, tmp_path / "none")
    assert capsys.readouterr().out == ""


def test_outcomes_of_versions_that_noted_neither_are_read(tmp_path, finished):
    """Their files do not name them."""
    outcome = outcome_of(finished()[0].path)
    path = Outcomes(tmp_path / "old").keep(outcome.model_copy(update=ADDED))
    content = json.loads(path.read_text())
    del content["images_seen"], content["first_layer"], content["checksum"]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(content | {"checksum": digest}))
    again = Outcomes(tmp_path / "old")
    assert again.unusable == []
    assert again.get(outcome.identity, 1).images_seen is None
