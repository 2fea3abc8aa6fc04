"""Two workers on loopback: one writes, all stop together, a killed one ends all, all resume.

`make multi-worker-test` runs this file, long tests included.
"""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.alexnet_tf.training.processes import (
    assert_identical,
    finish,
    two_workers,
    variables,
    write_inputs,
)
from tests.deadlines import SECONDS, wait_until

BOUND = 60  # seconds within which the survivors of a killed worker have ended


class Cluster:
    """One training, of which only the chief is told where the run directory is."""

    def __init__(self, root: Path, placement: str = "single"):
        self.root, self.cpus = root, 2 if placement == "two-tower" else 1
        self.inputs = write_inputs(root)
        self.settings = [
            "strategy.name=multi-worker",
            f"strategy.placement={placement}",
            "training.checkpoint_every_steps=3",
            "monitoring.every_epochs=3",
        ]

    def start(self, name: str, *changes: tuple[str, ...]) -> list[subprocess.Popen]:
        """Both workers; `changes`, if given, are each one's own settings."""
        config, data = self.inputs
        runs = [str(self.root / name), str(self.root / f"{name}-elsewhere")]
        return two_workers(
            [
                ["train", "--config", config, "--data", data, "--run", run, *self.settings, *own]
                for run, own in zip(runs, changes or ((), ()), strict=True)
            ],
            self.cpus,
        )

    def log(self, name: str) -> list[dict]:
        path = self.root / name / "log.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def wait(self, name: str, step: int, workers: list[subprocess.Popen]) -> None:
        def reached() -> bool:
            return any(line.get("step", 0) >= step for line in self.log(name))

        wait_until(reached, workers[0])
        assert all(worker.poll() is None for worker in workers), finish(workers[0])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Cluster:
    """With an uninterrupted run, "whole"."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), "two-tower")
    for worker in cluster.start("whole"):
        finish(worker)
    return cluster


@pytest.mark.slow
def test_every_image_once_an_epoch_and_only_the_chief_writes(cluster):
    epochs = [line for line in cluster.log("whole") if line["kind"] == "epoch"]
    assert [line["train examples"] for line in epochs] == [52] * 3
    assert [line["validation examples"] for line in epochs] == [21] * 3
    assert not (cluster.root / "whole-elsewhere").exists()


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_all_and_the_same_command_resumes(cluster, victim):
    name = f"killed-{victim}"
    workers = cluster.start(name)
    cluster.wait(name, 9, workers)  # in the second of three epochs
    workers[victim].send_signal(signal.SIGKILL)
    began = time.monotonic()
    output = finish(workers[1 - victim], 1)
    print(f"worker {victim} killed; the other ended after {time.monotonic() - began:.1f} s:")
    print(output.splitlines()[-1])
    assert time.monotonic() - began < BOUND
    assert f"failed: worker {1 - victim} lost the others" in output
    assert "Traceback" not in output
    finish(workers[victim], -signal.SIGKILL)
    outputs = [finish(worker) for worker in cluster.start(name)]
    assert "going on at epoch" in outputs[0]
    assert_identical(variables(cluster.root / name), variables(cluster.root / "whole"))


@pytest.mark.slow
def test_sigterm_to_any_worker_stops_all_with_a_checkpoint(cluster):
    longer = ("training.epochs=2000",)
    workers = cluster.start("stopped", longer, longer)
    cluster.wait("stopped", 4, workers)
    workers[1].send_signal(signal.SIGTERM)
    outputs = [finish(worker, 0) for worker in workers]
    assert "stopped; the same command goes on" in outputs[0]


@pytest.mark.slow
def test_workers_of_different_settings_end(cluster):
    workers = cluster.start("differ", (), ("training.seed=1",))
    began = time.monotonic()
    output = finish(workers[1], 2)
    assert "expected the chief's configuration" in output
    assert "training.seed: 0 → 1" in output
    assert "failed: worker 0 lost the others" in finish(workers[0], 1)
    assert time.monotonic() - began < SECONDS
