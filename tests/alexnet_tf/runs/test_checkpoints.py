"""Checkpoints appear whole or not at all; damaged ones are seen, and the one before is taken."""

import contextlib
import errno
import json
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.errors import CheckpointError, JobError
from alexnet_tf.runs import checkpoint_state
from alexnet_tf.runs.checkpoint_state import read_state
from alexnet_tf.runs.checkpoints import Checkpoints


def variables(value: float) -> dict[str, dict[str, tf.Variable]]:
    group = {"conv1_a/kernel": tf.Variable([value, -0.0]), "fc8/bias": tf.Variable([2 * value])}
    return {"weights": group, "velocities": {"fc8/bias": tf.Variable([-value])}}


def values(groups) -> list[float]:
    return [float(x) for group in groups.values() for v in group.values() for x in v.numpy()]


def saved(directory: Path, *steps: int, keep: int = 3) -> Checkpoints:
    checkpoints = Checkpoints(directory, keep)
    for step in steps:
        checkpoints.save(step, variables(step), {"epoch": step, "best": float("inf")})
    return checkpoints


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def largest_file(checkpoint: Path) -> Path:
    return max(checkpoint.glob("variables*"), key=lambda path: path.stat().st_size)


def test_what_is_saved_is_restored(tmp_path):
    checkpoints, found = saved(tmp_path, 7), variables(0)
    assert checkpoints.restore_newest(found) == {"epoch": 7, "best": float("inf")}
    assert values(found) == values(variables(7))
    assert np.signbit(found["weights"]["conv1_a/kernel"].numpy()[1])  # −0 as well: bit for bit


def test_the_last_ones_are_kept(tmp_path):
    assert saved(tmp_path, 1, 2, 3, 10, keep=2).steps() == [3, 10]


def test_the_best_is_kept_beside_the_newest_also_by_another_process(tmp_path):
    errors = {1: 0.5, 2: 0.25, 3: 0.25, 4: 0.5, 5: None, 6: 0.75}
    for step, error in errors.items():
        Checkpoints(tmp_path, keep=2).save(step, variables(step), {"epoch": step}, error)
    checkpoints, found = Checkpoints(tmp_path), variables(0)
    assert checkpoints.steps() == [2, 5, 6]
    assert checkpoints.restore_best(found) == {"epoch": 2}  # the first of equal ones
    assert values(found) == values(variables(2))
    assert checkpoints.restore_newest(found) == {"epoch": 6}
    Checkpoints(tmp_path, keep=2).save(7, variables(7), {"epoch": 7}, 0.125)
    assert checkpoints.steps() == [6, 7]


def test_of_a_damaged_best_one_the_next_best_is_taken(tmp_path, caplog):
    for step, error in ((1, 0.2), (2, 0.4), (3, 0.3)):
        Checkpoints(tmp_path).save(step, variables(step), {"epoch": step}, error)
    damage(largest_file(Checkpoints(tmp_path).path(1)))
    with caplog.at_level(logging.WARNING):
        assert Checkpoints(tmp_path).restore_best(variables(0)) == {"epoch": 3}
    assert "step-000000001 is damaged" in caplog.text


def test_without_errors_there_is_no_best(tmp_path):
    assert saved(tmp_path, 1, 2).restore_best(variables(0)) is None


def test_none_is_no_error(tmp_path):
    assert Checkpoints(tmp_path / "missing").restore_newest(variables(0)) is None


@pytest.mark.parametrize("how", ["data", "state", "missing", "truncated", "no state", "not JSON"])
def test_a_damaged_one_is_passed_over_with_a_warning(tmp_path, caplog, how):
    checkpoints, found = saved(tmp_path, 1, 2), variables(0)
    newest = checkpoints.path(2)
    content = json.loads((newest / "state.json").read_text())
    if how == "data":
        damage(largest_file(newest))
    elif how == "state":
        content["files"] = dict.fromkeys(content["files"], "0" * 64)
        (newest / "state.json").write_text(json.dumps(content))
    elif how == "missing":
        largest_file(newest).unlink()
    elif how == "truncated":
        largest_file(newest).write_bytes(b"")
    elif how == "no state":
        (newest / "state.json").unlink()
    else:
        (newest / "state.json").write_text("[1]")
    with caplog.at_level(logging.WARNING):
        assert checkpoints.restore_newest(found)["epoch"] == 1
    assert values(found) == values(variables(1))
    assert "step-000000002 is damaged" in caplog.text


def test_all_damaged_is_an_error_that_says_where(tmp_path):
    checkpoints = saved(tmp_path, 1, 2)
    for step in (1, 2):
        damage(largest_file(checkpoints.path(step)))
    with pytest.raises(CheckpointError, match=f"{tmp_path}, found 2 damaged"):
        checkpoints.restore_newest(variables(0))


@pytest.mark.parametrize("locked", [False, True])
def test_to_remove_them_is_the_advice_of_who_holds_the_lock(tmp_path, locked):
    damage(largest_file(saved(tmp_path, 1).path(1)))
    with pytest.raises(CheckpointError) as raised:
        Checkpoints(tmp_path, locked=locked).restore_newest(variables(0))
    assert ("remove the directory to begin anew" in str(raised.value)) is locked


def once_before(monkeypatch, module, name: str, happen) -> None:
    """Something happens before a function's first call."""
    function, calls = getattr(module, name), []

    def called(*args, **kwargs):
        if not calls:
            calls.append(args)
            happen()
        return function(*args, **kwargs)

    monkeypatch.setattr(module, name, called)


@pytest.mark.parametrize("which", ["newest", "best"])
@pytest.mark.parametrize(
    ("moment", "step"),
    [
        *(("its state is read", 2), ("its files are compared", 2), ("its variables are read", 2)),
        *(("its state is read", 1), ("its files are compared", 1)),  # of the same step
    ],
)
def test_one_that_a_training_replaces_is_not_called_damaged(
    tmp_path, monkeypatch, caplog, moment, which, step
):
    """The only one is listed, the training saves another and removes it, and it is read."""
    Checkpoints(tmp_path, keep=1).save(1, variables(1), {"epoch": 1}, 0.5)

    def train():
        Checkpoints(tmp_path, keep=1).save(step, variables(3), {"epoch": 3}, 0.25)

    functions = {
        "its state is read": (checkpoint_state, "_read_file"),
        "its files are compared": (checkpoint_state, "sha256"),
        "its variables are read": (tf.train.Checkpoint, "read"),
    }
    once_before(monkeypatch, *functions[moment], train)
    found = variables(0)
    with caplog.at_level(logging.WARNING):
        state = getattr(Checkpoints(tmp_path), f"restore_{which}")(found)
    assert values(found) == values(variables(state["epoch"]))
    assert state == {"epoch": 3}
    assert caplog.text == ""


def test_after_a_fallback_the_damaged_one_does_not_come_back(tmp_path):
    checkpoints = saved(tmp_path, 10, 20)
    damage(largest_file(checkpoints.path(20)))
    assert checkpoints.restore_newest(variables(0))["epoch"] == 10
    assert saved(tmp_path, 15, keep=1).steps() == [15]


class Killed(BaseException):
    """What no `except Exception` and no second attempt outlives."""


class Killer:
    """Stops the process before its nth change on the disk; nothing after it happens either."""

    CHANGES = ("replace", "rename", "mkdir", "unlink", "rmdir", "fsync")

    def __init__(self, monkeypatch, moment: int):
        self.moment, self.changes = moment, 0
        for name in self.CHANGES:
            monkeypatch.setattr(os, name, self._deadly(getattr(os, name)))

    def _deadly(self, change):
        def deadly(*args, **kwargs):
            if self.changes >= self.moment:
                raise Killed
            self.changes += 1
            return change(*args, **kwargs)

        return deadly


@pytest.mark.parametrize("keep", [1, 2])
@pytest.mark.parametrize("step", [2, 3], ids=["the same step", "a new step"])
def test_killed_at_any_moment_the_old_or_the_new_one_is_there(tmp_path, monkeypatch, step, keep):
    """A process that is killed before each change on the disk in turn, while it saves."""
    before = saved(tmp_path / "begun", 1, 2, keep=keep).directory
    new, moment, finished = {"epoch": 7}, 0, False
    while not finished:
        directory = tmp_path / f"killed-{moment}"
        shutil.copytree(before, directory)
        checkpoints = Checkpoints(directory, keep)
        with monkeypatch.context() as patch:
            killer = Killer(patch, moment)
            try:
                checkpoints.save(step, variables(7), new)
                finished = True
            except Killed:
                assert killer.changes == moment
        found = variables(0)
        state = checkpoints.restore_newest(found)
        assert values(found) == values(variables(state["epoch"]))
        assert state["epoch"] == 7 if finished else state["epoch"] in (2, 7)
        # The next process goes on from there, and leaves nothing behind.
        checkpoints.save(4, variables(8), {"epoch": 8})
        names = sorted(path.name for path in directory.iterdir())
        assert all(name.startswith("step-") for name in names)
        assert len(names) == keep
        assert names[-1] == "step-000000004"
        moment += 1
    assert moment > 10


@pytest.mark.parametrize("keep", [1, 2])
def test_killed_while_bad_ones_are_removed_the_good_ones_stay_whole(tmp_path, monkeypatch, keep):
    before = saved(tmp_path / "begun", 1, 2, 3, keep=3).directory
    for moment in range(12):
        directory = tmp_path / f"killed-{moment}"
        shutil.copytree(before, directory)
        checkpoints = Checkpoints(directory, keep)
        with monkeypatch.context() as patch:
            Killer(patch, moment)
            with contextlib.suppress(Killed):
                checkpoints.remove_from(2)
        for step in checkpoints.steps():
            read_state(checkpoints.path(step))  # no half-deleted one has a checkpoint's name
        assert checkpoints.steps()[0] == 1


def test_any_bit_of_the_state_counts(tmp_path):
    """One bit made epoch 2 into 3 once, and the run skipped an epoch."""
    path = saved(tmp_path, 2).path(2)
    data = (path / "state.json").read_bytes()
    assert read_state(path)["epoch"] == 2
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        (path / "state.json").write_bytes(damaged)
        with pytest.raises(ValueError):  # noqa: PT011 - of any wording
            read_state(path)


def test_a_checkpoint_of_another_step_is_none_of_this_one(tmp_path):
    checkpoints = saved(tmp_path, 1)
    shutil.copytree(checkpoints.path(1), checkpoints.path(9))
    with pytest.raises(ValueError, match="that of step 1"):
        read_state(checkpoints.path(9))


def test_a_state_without_a_checksum_is_read_as_before(tmp_path):
    path = saved(tmp_path, 1).path(1)
    content = json.loads((path / "state.json").read_text())
    del content["checksum"]
    (path / "state.json").write_text(json.dumps(content, indent=1))
    assert read_state(path)["epoch"] == 1


@pytest.mark.parametrize("name", ["state.json", "variables.index"])
def test_pipes_are_not_waited_for(tmp_path, name):
    checkpoints = saved(tmp_path, 1, 2)
    path = checkpoints.path(2) / name
    path.unlink()
    os.mkfifo(path)
    assert checkpoints.restore_newest(variables(0))["epoch"] == 1


def test_a_run_that_is_gone_is_not_made_again(tmp_path):
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    with pytest.raises(JobError, match=r"cannot write a checkpoint: .* No such file"):
        checkpoints.save(1, variables(1), {})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("by", ["the system", "TensorFlow"])
def test_a_full_disk_is_one_line_and_nothing_half_written(tmp_path, monkeypatch, by):
    checkpoints = saved(tmp_path, 1)

    def refuse(*_):
        if by == "the system":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise tf.errors.ResourceExhaustedError(None, None, "/run/x; No space left on device")

    place = (os, "fsync") if by == "the system" else (tf.train.Checkpoint, "write")
    monkeypatch.setattr(*place, refuse)
    with pytest.raises(JobError, match=r"^cannot write a checkpoint: .*No space left on device$"):
        checkpoints.save(2, variables(2), {"epoch": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001"]


def test_bad_ones_can_be_removed(tmp_path):
    checkpoints = saved(tmp_path, 4, 8, 9)
    checkpoints.remove_from(8)
    assert checkpoints.steps() == [4]


def test_a_step_may_be_saved_again(tmp_path):
    checkpoints, found = saved(tmp_path, 5), variables(0)
    checkpoints.save(5, variables(6), {"epoch": 6})
    assert checkpoints.restore_newest(found)["epoch"] == 6
    assert values(found) == values(variables(6))
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000005"]
