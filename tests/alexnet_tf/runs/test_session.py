"""A whole training in this process, and what happens to it: each end is one line."""

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from alexnet_tf import train
from alexnet_tf.errors import DatasetError, JobError
from alexnet_tf.runs.session import Session
from preprocessing.dataset.info import ClassName, read_info, write_info
from tests.alexnet_tf.training.processes import write_inputs


class Inputs:
    """Training inputs, of 7 batches an epoch, and the run directory that is made of them."""

    def __init__(self, root: Path):
        config, data = write_inputs(root)
        self.data, self.run = Path(data), root / "run"
        # Not deterministic: that setting would stay with this process.
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


def test_a_shard_of_another_size_is_noticed_before_there_is_a_step(inputs):
    (inputs.data / "train-00002-of-00004").write_bytes(b"")
    with pytest.raises(DatasetError, match="0 bytes, expected"):
        train.main(inputs.arguments)
    assert not (inputs.run / "log.jsonl").exists()


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
