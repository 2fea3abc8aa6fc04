"""A training that is killed, stopped or damaged and started again ends bit for bit the same."""

import json
import os
import random
import re
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf import train
from alexnet_tf.errors import ConfigError, JobError, RunError
from alexnet_tf.runs.lock import locked
from tests.alexnet_tf.training.processes import (
    assert_identical,
    finish,
    largest_difference,
    start,
    variables,
    write_inputs,
)
from tests.deadlines import SECONDS, wait_until

STEPS = 66  # 6 epochs of 11 batches, the last of 4 images
SETTINGS = (
    "training.epochs=6",
    "training.checkpoint_every_steps=4",
    "monitoring.every_epochs=3",  # it takes as long as the training
    "schedule.name=plateau",
    "schedule.patience=1",
    "schedule.factor=0.5",
    "schedule.drops=9",
)


class Trained:
    """Runs of one configuration on one dataset."""

    def __init__(self, root: Path):
        self.root = root
        self.config, self.data = write_inputs(root, train=84, validation=21)

    def arguments(self, name: str) -> list[str]:
        run = str(self.root / name)
        return ["train", "--config", self.config, "--data", self.data, "--run", run, *SETTINGS]

    def until(self, name: str, step: int, jitter: float = 0.0):
        """A process that has taken `step` steps of the run, and is at work on the next ones."""
        log = self.root / name / "log.jsonl"
        before = len(log.read_text().splitlines()) if log.exists() else 0

        def reached() -> bool:
            lines = log.read_text().splitlines()[before:] if log.exists() else []
            return any(json.loads(line)["step"] >= step for line in lines if line.endswith("}"))

        process = start(self.arguments(name))
        wait_until(reached, process)
        time.sleep(jitter)
        return process

    def state(self, name: str) -> dict:
        run = self.root / name / "checkpoints"
        return json.loads((max(run.iterdir()) / "state.json").read_text())["state"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Trained:
    """With an uninterrupted run, "whole"."""
    trained = Trained(tmp_path_factory.mktemp("trained"))
    finish(start(trained.arguments("whole")))
    return trained


def assert_as_whole(trained: Trained, name: str) -> None:
    assert_identical(variables(trained.root / name), variables(trained.root / "whole"))
    assert trained.state(name) == trained.state("whole")
    assert trained.state(name)["epoch"] == 6
    assert trained.state(name)["plateau"]["drops"] > 0  # it did matter


def killed_again_and_again(trained: Trained, name: str, times: int) -> None:
    """Other moments in every run; pytest shows what is printed if one of them is the wrong one."""
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(2**32))
    moments = random.Random(seed)
    print(f"the same moments again: KILL_SEED={seed}")
    targets = sorted(moments.sample(range(1, STEPS - 6), times))
    for target in targets:
        process = trained.until(name, target, moments.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=SECONDS)
        there = sorted(p.name for p in (trained.root / name / "checkpoints").glob("*"))
        print(f"kill -9 after step {target}: exit code {process.returncode}, {there}")
        assert process.returncode == -signal.SIGKILL
    print(finish(start(trained.arguments(name))))
    assert_as_whole(trained, name)


@pytest.mark.slow
def test_killed_once_at_a_random_moment(trained):
    killed_again_and_again(trained, "killed", 1)


@pytest.mark.slow
def test_killed_at_random_moments_several_times_in_a_row(trained):
    killed_again_and_again(trained, "killed-often", 6)


@pytest.mark.slow
def test_stopped_by_sigterm_then_damaged(trained):
    process = trained.until("stopped", 20)
    process.send_signal(signal.SIGTERM)
    assert "stopped; the same command goes on" in finish(process, 0)
    checkpoints = sorted((trained.root / "stopped" / "checkpoints").iterdir())
    stopped_at = int(checkpoints[-1].name.removeprefix("step-"))
    assert 20 <= stopped_at < STEPS
    data = max(checkpoints[-1].glob("variables*"), key=lambda path: path.stat().st_size)
    data.write_bytes(data.read_bytes()[:-1] + b"?")
    output = finish(start(trained.arguments("stopped")))
    assert f"{checkpoints[-1].name} is damaged" in output
    assert "going on at epoch" in output
    assert_as_whole(trained, "stopped")


@pytest.mark.slow
def test_stopped_by_ctrl_c_it_says_so_at_once_and_is_no_success(trained):
    process = trained.until("interrupted", 20)
    process.send_signal(signal.SIGINT)
    output = finish(process, 130)
    assert "stopping after this step, with a checkpoint" in output
    assert "stopped; the same command goes on" in output
    finish(start(trained.arguments("interrupted")))
    assert_as_whole(trained, "interrupted")


def test_a_finished_run_has_nothing_left_to_do(trained):
    shutil.copytree(trained.root / "whole", trained.root / "again")
    output = finish(start(trained.arguments("again")))
    assert "nothing is left to do of" in output
    assert_as_whole(trained, "again")


@pytest.mark.slow
def test_another_seed_gives_other_weights(trained):
    finish(start([*trained.arguments("other"), "training.seed=1"]))
    whole, other = (variables(trained.root / name) for name in ("whole", "other"))
    assert largest_difference(whole, other) > 1e-3


@pytest.fixture
def arguments(tmp_path) -> list[str]:
    config, data = write_inputs(tmp_path)
    run = str(tmp_path / "run")
    settings = ["training.deterministic=false", "training.epochs=2", "monitoring.every_epochs=0"]
    return ["--config", config, "--data", data, "--run", run, *settings]


@pytest.mark.parametrize("every", ["null", "1"])
def test_a_loss_that_is_not_finite_stops_the_run(arguments, tmp_path, every):
    # The rate explodes after the first epoch of 7 steps, which ends with a checkpoint.
    explosion = "schedule.rate=[[0, 0.01], [1, 1.0e6]]"
    with pytest.raises(JobError) as failure:
        train.main([*arguments, explosion, f"training.checkpoint_every_steps={every}"])
    expected = r"\S+ ?\w+ is not finite at step (\d+); last good checkpoint: (\S+)\."
    step, last = re.match(expected, str(failure.value)).groups()
    assert 8 <= int(step) < 14
    saved = sorted((tmp_path / "run" / "checkpoints").iterdir())
    assert str(saved[-1]) == last
    # Its loss was computed and finite: the first bad step began from a later one.
    assert int(saved[-1].name.removeprefix("step-")) < int(step)
    assert every == "1" or last.endswith("step-000000007")
    for values in variables(tmp_path / "run").values():
        assert np.isfinite(values).all()


def test_a_run_in_use_is_refused(arguments, tmp_path):
    with (
        locked(tmp_path / "run"),
        pytest.raises(RunError, match="another training is using it"),
    ):
        train.main(arguments)


def test_another_dataset_is_refused(trained, tmp_path):
    _, other = write_inputs(tmp_path / "other", train=60)
    arguments = trained.arguments("whole")[1:]
    arguments[arguments.index("--data") + 1] = other
    with pytest.raises(RunError, match=r"expected the dataset that .* began with"):
        train.main(arguments)


def test_a_mistake_found_before_the_first_step_can_be_mended(arguments, tmp_path):
    with pytest.raises(ConfigError, match=r"network\.input_size: expected at most 72"):
        train.main([*arguments, "network.input_size=96"])
    assert train.main([*arguments, "training.epochs=1"]) == 0
    with pytest.raises(RunError, match=r"network\.input_size: 64 → 68"):
        train.main([*arguments, "network.input_size=68"])


@pytest.mark.slow
def test_a_run_whose_making_was_killed_begins_anew(arguments, tmp_path):
    (tmp_path / "run" / "dataset").mkdir(parents=True)
    (tmp_path / "run" / ".config.yaml.123").write_text("network: {")
    assert train.main([*arguments, "training.epochs=1"]) == 0
