"""Which trainings there are, their commands, and run directories that are damaged."""

import re

import pytest

from alexnet_tf.config import files as config_files
from alexnet_tf.errors import JobError, RunError
from alexnet_tf.reproduction import claim_files, runs
from alexnet_tf.reproduction.children import Children
from alexnet_tf.reproduction.finished_run import outcome_of
from alexnet_tf.reproduction.identity import identity
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.lock import locked
from preprocessing.dataset.info import read_info
from tests import tiny_datasets


def test_every_arm_with_a_seed_before_the_next_seed(write, tmp_path):
    info = tiny_datasets.write(tmp_path / "data")
    rows = runs.trainings(claim_files.load(write()), "short", [1, 2], info)
    assert [(row.arm, row.seed) for row in rows] == [
        *(("with", 1), ("without", 1), ("with", 2), ("without", 2))
    ]
    assert rows[0].identity == rows[2].identity != rows[1].identity
    assert rows[0].directory(tmp_path) == tmp_path / rows[0].identity / "seed-1"
    for row in rows:
        assert row.config.training.epochs == 1
        assert row.config.monitoring.every_epochs == 0
        assert row.config.network.num_classes == len(info.classes)


def test_the_configuration_is_that_of_the_start_whatever_becomes_of_its_file(
    write, tmp_path, monkeypatch
):
    tiny_datasets.write(tmp_path / "data")
    first, *_ = runs.trainings(
        claim_files.load(write()), "short", [3], read_info(tmp_path / "data")
    )
    (tmp_path / "tiny.yaml").write_text("network: {variant: none}")
    calls = []
    children = Children()
    monkeypatch.setattr(children, "call", lambda *verb, **_: calls.append(verb))
    with pytest.raises(JobError, match="expected a run directory"):  # no training took place
        runs.make(first, str(tmp_path / "data"), tmp_path / "runs", children)
    [train, evaluate] = calls
    assert (train[0], evaluate[0], train[-1]) == ("train", "evaluate", "training.seed=3")
    config = config_files.load(train[2], train[7:])
    assert config.training.seed == 3
    assert identity(config, read_info(tmp_path / "data").fingerprint) == first.identity


def test_a_run_that_another_process_is_at_is_left_to_it(write, tmp_path):
    info = tiny_datasets.write(tmp_path / "data")
    training, *_ = runs.trainings(claim_files.load(write()), "short", [1], info)
    with (
        locked(training.directory(tmp_path)),
        pytest.raises(JobError, match=r"dropout, with, seed 1: .* another training is using it"),
    ):
        runs.make(training, str(tmp_path / "data"), tmp_path, Children())


@pytest.fixture
def begun(tmp_path):
    """A run that was begun, without a checkpoint."""
    tiny_datasets.write(tmp_path / "data")
    config = config_files.parse({"network": {"input_size": 64, "width": 0.05}})
    run_directory.begin(tmp_path / "runs" / "seed-1", config, tmp_path / "data")
    return tmp_path / "runs" / "seed-1"


def test_a_run_that_can_go_on_is_left_alone(begun, tmp_path, capsys):
    runs._set_damaged_aside(begun)
    runs._set_damaged_aside(tmp_path / "none")
    assert [path.name for path in begun.parent.iterdir()] == ["seed-1"]
    assert capsys.readouterr().out == ""
    assert read_info(begun / "dataset").image_size == 72


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda run: (run / "config.yaml").write_text("networt: {}"), "unknown key 'networt'"),
        (lambda run: (run / "dataset/dataset_info.json").write_text("{}"), "dataset_info.json"),
        (
            lambda run: (run / "checkpoints" / "step-000000003").mkdir(parents=True),
            "expected an undamaged checkpoint in .*, found 1 damaged",
        ),
    ],
)
def test_a_damaged_run_is_named_and_put_aside(begun, capsys, damage, line):
    damage(begun)
    runs._set_damaged_aside(begun)
    [path] = begun.parent.iterdir()
    assert path.name.startswith("seed-1.damaged-")
    shown = capsys.readouterr().out
    assert re.search(line, shown)
    assert str(path) in shown


def test_an_unfinished_run_has_no_outcome(begun):
    with pytest.raises(RunError, match=r"expected 90 epochs in .*, found 0"):
        outcome_of(begun)
