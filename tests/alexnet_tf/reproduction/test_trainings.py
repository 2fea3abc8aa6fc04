"""A reproduction with real trainings: interrupted, gone on with, its runs lost, reported."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from alexnet_tf.reproduction import result
from tests import tiny_datasets
from tests.deadlines import SECONDS, wait_until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


def start(*arguments) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "alexnet_tf.reproduce", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen, code: int = 0) -> str:
    try:
        output, _ = process.communicate(
            timeout=4 * SECONDS
        )  # of four processes, one after the other
    finally:
        process.kill()
    assert process.returncode == code, output
    return output


def test_a_reproduction_that_is_interrupted_and_loses_its_runs(write, tmp_path):
    tiny_datasets.write(tmp_path / "data", counts={"train": 52, "validation": 21})
    output = tmp_path / "out"
    scales = {
        s: {"data": "any", "hours": 1, "overrides": ["training.epochs=12"]}
        for s in ("full", "short")
    }
    nine = {"name": "top-1 error", "views": 9}  # besides one and ten, which all are measured in
    claim = [
        write(scales=scales, measure=nine),
        "--data",
        tmp_path / "data",
        "--output",
        output,
        "--seeds=1",
    ]

    process = start(*claim)
    wait_until(
        lambda: any('"steps"' in p.read_text() for p in output.glob("runs/*/*/log.jsonl")), process
    )
    process.send_signal(signal.SIGINT)
    shown = finish(process, 130)
    assert "trainings: 2 in all, 0 there, 2 to be made" in shown
    assert "stopped; the same command goes on" in shown.splitlines()[-1]
    assert "Traceback" not in shown
    assert list(output.glob("runs/*/seed-1/checkpoints/step-*"))
    assert not (output / "outcomes").exists()

    shown = finish(start(*claim))
    assert "going on at epoch" in shown
    assert "dropout: " in shown
    found = result.read(output / "claims/dropout/full/result.json")
    assert [arm.epochs for arm in found.arms.values()] == [12, 12]
    assert found.pictures == 21
    assert found.processor_hours > 0
    paths = sorted((output / "outcomes").iterdir())
    outcomes = [json.loads(path.read_text()) for path in paths]
    assert [set(outcome["views"]) for outcome in outcomes] == [{"1", "9", "10"}] * 2

    # One outcome is lost, and its run is there; then all runs are lost, and the outcomes are there.
    paths[0].write_text("{")
    shown = finish(start(*claim))
    assert f"{paths[0].name} does not count" in shown
    assert "trainings: 2 in all, 1 there, 1 to be made" in shown
    again = json.loads(paths[0].read_text())
    assert (again["views"], again["course"]) == (outcomes[0]["views"], outcomes[0]["course"])
    shutil.rmtree(output / "runs")
    shown = finish(start(*claim))
    assert "trainings: 2 in all, 2 there, 0 to be made" in shown
    assert not (output / "runs").exists()
    assert result.read(output / "claims/dropout/full/result.json") == found

    assert "report of 1 result:" in finish(start("report", output))
    assert "![dropout" in (output / "reproduction.md").read_text()
