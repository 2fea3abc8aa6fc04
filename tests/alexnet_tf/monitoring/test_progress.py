"""What a training prints and logs: width, words, and a log that was torn."""

import json
import os
import re
import sys

import pytest

from alexnet_tf.config import files as config_files
from alexnet_tf.errors import RunError
from alexnet_tf.evaluation.metrics import Result
from alexnet_tf.monitoring.progress import ProgressReport
from alexnet_tf.runs import log
from alexnet_tf.training.epoch_steps import EpochSteps
from alexnet_tf.training.loop import Progress, Window

CONFIG = config_files.parse({"network": {"input_size": 64}, "training": {"epochs": 1000}})
RESULT = Result(6.9078, 0.999, 0.995, 100)


class Events:
    """Stands for EventFiles: notes the tags."""

    def __init__(self):
        self.tags = set()

    def scalars(self, split, values, step):
        self.tags |= {(split, name) for name in values}


@pytest.fixture
def report(tmp_path):
    with ProgressReport(tmp_path, Events(), EpochSteps(10), CONFIG) as report:
        report.begin(0)
        yield report


def test_an_epochs_lines_are_at_most_100_columns_and_label_every_number(report, capsys):
    report.epoch_began -= 1234
    report.began -= 999 * 1_234_000  # s for 9,990 of 10,000 steps
    report.epoch(Progress(epoch=998, step=10), RESULT, RESULT)
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"epoch 999/1000: train loss 6\.908, top-1 error 99\.9%, top-5 error 99\.5%;"
        r" took 1234 s, 342:46:4\d left",
        first,
    )
    indent = " " * len("epoch 999/1000: ")
    assert second == f"{indent}validation loss 6.908, top-1 error 99.9%, top-5 error 99.5%"
    assert max(len(first), len(second)) <= 100


def test_an_epochs_record_has_the_time_it_took(report, tmp_path):
    report.epoch_began -= 1234
    report.processor_began -= 2345
    report.epoch(Progress(epoch=0, step=10), RESULT, None)
    report.epoch(Progress(epoch=1, step=10), RESULT, None)
    first, second = log.records(tmp_path, "epoch")
    assert first["seconds"] == pytest.approx(1234, abs=60)
    assert first["processor seconds"] == pytest.approx(2345, abs=60)
    assert max(second["seconds"], second["processor seconds"]) < 60


def test_both_splits_share_their_charts(report):
    report.epoch(Progress(epoch=0, step=10), RESULT, RESULT)
    names = {f"epoch/{name}" for name in ("loss", "top-1 error", "top-5 error")}
    assert {(split, name) for split in ("train", "validation") for name in names} == (
        report.events.tags
    )


def test_the_bar_says_that_it_is_an_error_and_what_is_left_of_the_run(report, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    report.began -= 100  # seconds for the first 5 of 10,000 steps
    report.window(Progress(step=5), Window(5, RESULT, 10.0), 0.0)
    report.bar.refresh()
    shown = capsys.readouterr().err
    assert "top-1 error=99.9%" in shown
    assert re.search(r"run=55:31:4\d left", shown)  # (10,000 - 5) / 5 * 100 s = 55:31:40


def test_a_torn_last_line_does_not_spoil_the_next(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"kind": "epoch"}\n{"kind": "st')
    with ProgressReport(tmp_path, Events(), EpochSteps(10), CONFIG) as report:
        report.epoch(Progress(epoch=1, step=10), RESULT, None)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert lines[1] == '{"kind": "st'
    assert json.loads(lines[2])["epoch"] == 1


def test_a_pipe_as_the_log_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "log.jsonl")
    with pytest.raises(RunError, match=r"log\.jsonl to be a file"):
        ProgressReport(tmp_path, Events(), EpochSteps(10), CONFIG)
