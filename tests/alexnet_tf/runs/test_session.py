"""A whole training in this process, and what happens to it: each end is one line."""

import dataclasses
import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf import evaluate, load_run, train
from alexnet_tf.errors import DatasetError, JobError, RunError
from alexnet_tf.evaluation.labelled_split import open_split
from alexnet_tf.runs.checkpoints import Checkpoints
from alexnet_tf.runs.session import Session
from preprocessing.dataset.info import ClassName, Shard, read_info, write_info
from preprocessing.dataset.names import shard_name
from tests.alexnet_tf.training.processes import largest_difference, variables, write_inputs

FC8 = "weights/fc8.Skernel/.ATTRIBUTES/VARIABLE_VALUE"  # as TensorFlow writes fc8/kernel
ONE_EPOCH = ["training.deterministic=false", "training.epochs=1"]


class Inputs:
    """Training inputs, of 7 batches an epoch, and the run directory that is made of them."""

    def __init__(self, root: Path):
        config, data = write_inputs(root)
        self.data, self.run = Path(data), root / "run"
        self.arguments = ["--config", config, "--data", data, "--run", str(self.run)]
        self.arguments += ["training.deterministic=false", "training.epochs=3"]

    def steps(self) -> list[str]:
        return sorted(path.name for path in (self.run / "checkpoints").iterdir())


@pytest.fixture
def inputs(tmp_path) -> Inputs:
    return Inputs(tmp_path)


@pytest.fixture
def in_the_second_epoch(monkeypatch):
    """Takes what is to happen after the first steps of the second epoch."""

    def happen(what):
        window, done = Session.window, []

        def after(session, progress, *given):
            window(session, progress, *given)
            if progress.epoch == 1 and not done:
                done.append(what())

        monkeypatch.setattr(Session, "window", after)

    return happen


def test_a_signal_in_the_first_epoch_leaves_a_checkpoint(inputs, monkeypatch):
    def stop(session, *_):
        session.loop.stop.set()

    monkeypatch.setattr(Session, "window", stop)
    assert train.main(inputs.arguments) == 0
    [step] = inputs.steps()
    assert step < "step-000000007"


def test_data_that_is_swapped_in_mid_run_ends_it_before_the_next_checkpoint(
    inputs, in_the_second_epoch
):
    def swap():
        first, second = (inputs.data / f"train-0000{i}-of-00004" for i in (0, 1))
        shutil.copyfile(first, inputs.data / "aside")
        os.replace(second, first)
        os.replace(inputs.data / "aside", second)

    in_the_second_epoch(swap)
    with pytest.raises(JobError, match=r"train-00000-of-00004' has not the checksum"):
        train.main(inputs.arguments)
    assert inputs.steps() == ["step-000000007"]
    with pytest.raises((JobError, DatasetError), match="checksum"):  # not gone on with either
        train.main(inputs.arguments)
    assert inputs.steps() == ["step-000000007"]


def test_an_output_that_nobody_reads_is_not_put_on_the_run_directory(inputs, monkeypatch):
    def gone(*_):
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    monkeypatch.setattr(Session, "window", gone)
    with pytest.raises(BrokenPipeError):  # `cli.run` knows what it means
        train.main(inputs.arguments)


def test_a_shard_of_another_size_is_noticed_before_there_is_a_step(inputs):
    (inputs.data / "train-00002-of-00004").write_bytes(b"")
    with pytest.raises(DatasetError, match="0 bytes, expected"):
        train.main(inputs.arguments)
    assert not (inputs.run / "log.jsonl").exists()


@pytest.mark.parametrize("name", ["train", "validation"])
def test_a_split_without_examples_is_told_before_there_is_a_step(tmp_path, name):
    config, data = write_inputs(tmp_path)
    info = read_info(data)
    empty = Shard(shard_name(name, 0, 1), 0, 0, hashlib.sha256(b"").hexdigest())
    (Path(data) / empty.name).write_bytes(b"")
    write_info(Path(data), dataclasses.replace(info, splits={**info.splits, name: (empty,)}))
    with pytest.raises(DatasetError, match=rf"expected examples in the split {name} of {data}, "):
        train.main(["--config", config, "--data", data, "--run", str(tmp_path / "run")])
    assert not (tmp_path / "run" / "log.jsonl").exists()
    with pytest.raises(DatasetError, match=rf"expected examples in the split {name} of {data}, "):
        open_split([], data, name)


@pytest.mark.slow
def test_a_run_directory_that_is_removed_ends_the_training(inputs, in_the_second_epoch):
    in_the_second_epoch(lambda: shutil.rmtree(inputs.run))
    with pytest.raises(JobError, match="removed or replaced during the training"):
        train.main(inputs.arguments)
    assert not (inputs.run / "checkpoints").exists()


def test_any_class_name_can_be_trained_and_shown(inputs):
    """Mathematics, TeX's own letters, escape characters and a table's borders."""
    names = ("$5", "\x1b[31mred\r\n|", r"$\frac{", "\x00 $x_{")
    info = read_info(inputs.data)
    classes = tuple(ClassName(f"n{i:08d}", name) for i, name in enumerate(names))
    write_info(inputs.data, dataclasses.replace(info, classes=classes))
    assert train.main([*inputs.arguments, "training.epochs=1"]) == 0
    assert inputs.steps() == ["step-000000007"]


@pytest.mark.slow
def test_the_best_checkpoint_outlives_a_restart_and_is_what_best_means(inputs, monkeypatch):
    epoch, errors = Session.epoch, [0.5, 0.25, 0.75]

    def measured(session, progress, *given):
        epoch(session, progress, *given)
        return errors[progress.epoch]

    monkeypatch.setattr(Session, "epoch", measured)
    few = [*inputs.arguments, "training.keep_checkpoints=1"]
    for epochs in (2, 3):
        assert train.main([*few, f"training.epochs={epochs}"]) == 0
    assert inputs.steps() == ["step-000000014", "step-000000021"]
    stored = tf.train.load_checkpoint(str(inputs.run / "checkpoints/step-000000014/variables"))
    best, newest = (
        load_run(inputs.run, which).model.get_layer("fc8").kernel.numpy()
        for which in ("best", "newest")
    )
    np.testing.assert_array_equal(best, stored.get_tensor(FC8))
    assert (best != newest).any()
    evaluated = ["--run", str(inputs.run), "--data", str(inputs.data), "--checkpoint", "best"]
    assert evaluate.main(evaluated) == 0
    report = json.loads((inputs.run / "evaluation/validation-1-views-best.json").read_text())
    assert report["checkpoint"] == "best"


def test_without_validation_there_is_no_best_checkpoint(tmp_path):
    config, data = write_inputs(tmp_path, train=16)
    run = str(tmp_path / "run")
    assert train.main(["--config", config, "--data", data, "--run", run, *ONE_EPOCH]) == 0
    with pytest.raises(RunError, match=r"with a validation error .* found none"):
        load_run(run, "best")


@pytest.mark.slow
def test_a_run_goes_on_with_what_was_held_out(inputs, capsys):
    """39 of 52 images, 5 batches of 8, then all, 7 batches; the epoch is chosen on the way."""
    arguments = [*inputs.arguments, "data.held_out={fraction: 0.25, until_epoch: 1000}"]
    assert train.main([*arguments, "training.epochs=2"]) == 0
    said = capsys.readouterr().out
    assert "39 of 52 images" in said
    assert said.count("held-out loss") == 2
    with pytest.raises(RunError, match=r"2 epochs .* have begun, received 1 in place of 1000"):
        train.main([*arguments, "data.held_out.until_epoch=1"])
    assert train.main([*arguments, "training.epochs=5", "data.held_out.until_epoch=3"]) == 0
    assert inputs.steps() == [f"step-{step:09d}" for step in (15, 22, 29)]
    said = capsys.readouterr().out
    assert "from epoch 4 on: training on all 52 images, the held-out ones too" in said
    assert (said.count("held-out loss"), said.count("validation loss")) == (1, 2)
    records = [json.loads(line) for line in (inputs.run / "log.jsonl").read_text().splitlines()]
    epochs = [record for record in records if record["kind"] == "epoch"]
    assert [record["train examples"] for record in epochs] == [39, 39, 39, 52, 52]
    assert [record["validation examples"] for record in epochs] == [13, 13, 13, 21, 21]
    assert [record["validated on"] for record in epochs] == 3 * ["held-out"] + 2 * ["validation"]
    errors = [record["validation top1_error"] for record in epochs]
    best = load_run(inputs.run, "best").model.get_layer("fc8").kernel.numpy()
    kept = Checkpoints(inputs.run / "checkpoints").path(22 + 7 * int(errors[4] < errors[3]))
    stored = tf.train.load_checkpoint(str(kept / "variables"))
    np.testing.assert_array_equal(best, stored.get_tensor(FC8))


@pytest.mark.slow
def test_a_run_on_a_part_of_the_pictures(inputs, capsys):
    """26 of 52 images, 4 batches of 8; all of them is another training."""
    arguments = [*inputs.arguments, "training.epochs=1"]
    assert train.main([*arguments, "data.fraction=0.5"]) == 0
    assert "26 of 52 images" in capsys.readouterr().out
    assert inputs.steps() == ["step-000000004"]
    with pytest.raises(RunError, match=r"received another: data\.fraction: 0\.5 → 1\.0"):
        train.main(arguments)


@pytest.mark.slow
def test_what_is_held_out_for_good_is_not_trained_on_later(inputs):
    arguments = [*inputs.arguments, "data.held_out.fraction=0.25"]
    assert train.main([*arguments, "training.epochs=1"]) == 0
    with pytest.raises(RunError, match=r"until_epoch: expected null, .* received 2"):
        train.main([*arguments, "data.held_out.until_epoch=2"])


@pytest.mark.slow
def test_a_run_resumed_across_the_change_is_the_uninterrupted_one(inputs, tmp_path):
    change = ["data.held_out={fraction: 0.25, until_epoch: 1}", "monitoring.every_epochs=0"]
    change += ["training.deterministic=true"]
    ends = []
    for name, parts in (("whole", [3]), ("parts", [1, 3])):
        arguments = [*inputs.arguments[:4], "--run", str(tmp_path / name), *change]
        for epochs in parts:
            assert train.main([*arguments, f"training.epochs={epochs}"]) == 0
        ends.append(variables(tmp_path / name))
    assert largest_difference(*ends) == 0
