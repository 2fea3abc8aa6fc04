"""Checkpoints appear whole or not at all; damaged ones are seen, and the one before is taken."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.errors import CheckpointError
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


def test_after_a_fallback_the_damaged_one_does_not_come_back(tmp_path):
    checkpoints = saved(tmp_path, 10, 20)
    damage(largest_file(checkpoints.path(20)))
    assert checkpoints.restore_newest(variables(0))["epoch"] == 10
    assert saved(tmp_path, 15, keep=1).steps() == [15]


def test_a_write_that_dies_leaves_the_old_ones(tmp_path, monkeypatch):
    checkpoints = saved(tmp_path, 1)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)  # the last moment before it would appear
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(2, variables(2), {"epoch": 2})
    assert checkpoints.steps() == [1]
    assert len(list(tmp_path.iterdir())) == 2  # the unfinished one lies there under its own name
    saved(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000001", "step-000000002"]


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
