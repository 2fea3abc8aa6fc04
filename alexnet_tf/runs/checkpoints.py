"""Checkpoints: each a directory that appears whole or not at all, and is checked when read.

RUN/checkpoints/step-000001234/ holds the variables by name (a TensorFlow checkpoint, readable with
tf.train.load_checkpoint) and state.json: the run's other state and the files' SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from alexnet_tf.errors import CheckpointError

STATE = "state.json"
PREFIX = "step-"
TEMPORARY = ".writing-"
log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints below one directory; the newest `keep` are kept."""

    def __init__(self, directory: str | os.PathLike, keep: int = 3):
        self.directory, self.keep = Path(directory), keep

    def steps(self) -> list[int]:
        """Steps of the checkpoints there are, oldest first."""
        names = [path.name for path in self.directory.glob(f"{PREFIX}*")]
        return sorted(int(n.removeprefix(PREFIX)) for n in names if n[len(PREFIX) :].isdigit())

    def path(self, step: int) -> Path:
        return self.directory / f"{PREFIX}{step:09d}"

    def save(self, step: int, variables: Mapping[str, Mapping], state: Mapping) -> Path:
        """Writes groups of named variables and a JSON-able state; then removes what is not kept.

        One process at a time may write. Checkpoints of later steps, too, are removed: the run went
        back behind them because they are damaged.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        for left in self.directory.glob(f"{TEMPORARY}*"):  # by a process that was killed
            shutil.rmtree(left)
        temporary = self.directory / f"{TEMPORARY}{os.getpid()}"
        temporary.mkdir()
        _trackable(variables).write(str(temporary / "variables"))
        files = {path.name: _sha256(path) for path in sorted(temporary.iterdir())}
        content = json.dumps({"step": step, "state": state, "files": files}, indent=1)
        (temporary / STATE).write_text(content)
        for path in [*temporary.iterdir(), temporary]:
            _to_disk(path)
        final = self.path(step)
        if final.exists():  # put aside first, so that a kill between never leaves less
            final.replace(self.directory / f"{TEMPORARY}{os.getpid()}-old")
        temporary.replace(final)
        _to_disk(self.directory)
        steps = [found for found in self.steps() if found <= step]
        for found in self.steps():
            if found not in steps[-self.keep :]:
                shutil.rmtree(self.path(found))
        for left in self.directory.glob(f"{TEMPORARY}*"):
            shutil.rmtree(left)
        return final

    def remove_from(self, step: int) -> None:
        """Removes the checkpoints of this and later steps."""
        for found in self.steps():
            if found >= step:
                shutil.rmtree(self.path(found))

    def restore_newest(self, variables: Mapping[str, Mapping]) -> Mapping | None:
        """Reads the newest undamaged checkpoint into the variables and returns its state.

        None if there is no checkpoint. A damaged one is passed over with a warning.
        Raises CheckpointError if all are damaged.
        """
        steps = self.steps()
        for step in reversed(steps):
            path = self.path(step)
            problem = _damage(path)
            if problem is None:
                state = json.loads((path / STATE).read_text())["state"]
                read = _trackable(variables).read(str(path / "variables"))
                read.expect_partial().assert_existing_objects_matched()
                return state
            log.warning("checkpoint %s is damaged (%s); trying the one before", path, problem)
        if steps:
            raise CheckpointError(
                f"expected an undamaged checkpoint in {self.directory}, found {len(steps)} damaged"
                " ones; remove the directory to begin anew"
            )
        return None


def _trackable(variables: Mapping[str, Mapping]) -> tf.train.Checkpoint:
    return tf.train.Checkpoint(**{group: dict(named) for group, named in variables.items()})


def _damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, or None."""
    try:
        content = json.loads((path / STATE).read_text())
        for name, checksum in content["files"].items():
            if _sha256(path / name) != checksum:
                return f"{name} has another checksum"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
