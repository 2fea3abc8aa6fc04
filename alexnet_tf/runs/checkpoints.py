"""Checkpoints: each a directory that appears whole or not at all, and is checked when read.

RUN/checkpoints/step-000001234/ holds the variables by name (a TensorFlow checkpoint, readable with
tf.train.load_checkpoint) and state.json: the run's other state, the files' SHA-256 and its own.
A checkpoint of the same step that is just being replaced lies beside it as step-000001234.old.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import tensorflow as tf

from alexnet_tf.errors import JobError
from alexnet_tf.runs.checkpoint_state import (
    STATE,
    read_state,
    sha256,
    state_bytes,
)
from alexnet_tf.runs.reason import reason_of
from alexnet_tf.runs.saved_checkpoints import SavedCheckpoints, old

# What lies under these names counts for nothing: a kill left it while it was written or removed.
WRITING, REMOVED = ".writing-", ".removed-"


class Checkpoints(SavedCheckpoints):
    """The checkpoints below one directory, whose parent must be there.

    The newest `keep` are kept, and the best: of the lowest error that was saved with one.
    One process at a time may write or remove; `locked`: this one, by the run's lock.
    """

    def __init__(self, directory: str | os.PathLike, keep: int = 3, *, locked: bool = False):
        super().__init__(directory, locked=locked)
        self.keep = keep

    def save(
        self,
        step: int,
        variables: Mapping[str, Mapping],
        state: Mapping,
        error: float | None = None,
    ) -> Path:
        """Writes groups of named variables and a JSON-able state; then removes what is not kept.

        Args: error, finite, by which the best checkpoint is known; None: it was not measured.

        At every moment the old checkpoint of the same step, or the new one, is there. Checkpoints
        of later steps, too, are removed: the run went back behind them because they are damaged.

        Raises JobError: it cannot be written.
        """
        temporary = self.directory / f"{WRITING}{os.getpid()}"
        content = {"step": step, "state": state}
        if error is not None:
            content["error"] = float(error)
        try:
            self.directory.mkdir(exist_ok=True)
            self._clean()
            _write(temporary, variables, content)
            return self._add(temporary, step)
        except (OSError, tf.errors.OpError) as failure:
            shutil.rmtree(temporary, ignore_errors=True)  # on a full disk its space is wanted
            raise JobError(f"cannot write a checkpoint: {reason_of(failure)}") from failure

    def _add(self, temporary: Path, step: int) -> Path:
        """Gives a finished checkpoint its name, and removes what is not kept."""
        final = self.path(step)
        if final.exists():
            self._remove(old(final))
            final.replace(old(final))
        temporary.replace(final)
        _to_disk(self.directory)
        steps = [there for there in self.steps() if there <= step]
        kept_steps = {*steps[-self.keep :], *self.by_error(steps)[:1]}
        for there in self.steps():
            path, kept = self.path(there), there in kept_steps
            if path.exists() or not kept:  # else a kill left nothing but the old one
                self._remove(old(path))
            if not kept:
                self._remove(path)
        self._clean()
        return final

    def remove_from(self, step: int) -> None:
        """Removes the checkpoints of this and later steps."""
        for there in self.steps():
            if there >= step:
                self._remove(old(self.path(there)))
                self._remove(self.path(there))
        self._clean()

    def restore_newest(self, variables: Mapping[str, Mapping]) -> Mapping | None:
        """Reads the newest undamaged checkpoint into the variables and returns its state.

        None if there is no checkpoint. A damaged one is passed over with a warning.
        Raises CheckpointError if all are damaged.
        """
        return self._restore(variables, reversed)

    def restore_best(self, variables: Mapping[str, Mapping]) -> Mapping | None:
        """As `restore_newest`, of the lowest error; None if no checkpoint has one."""
        return self._restore(variables, self.by_error)

    def _restore(
        self, variables: Mapping[str, Mapping], order: Callable[[list[int]], Iterable[int]]
    ) -> Mapping | None:
        def read(path: Path) -> Mapping:
            state = read_state(path)
            try:
                status = _trackable(variables).read(str(path / "variables"))
            except tf.errors.OpError as error:
                if path.exists():  # its bytes are right: no damage of the checkpoint
                    raise
                raise FileNotFoundError(f"{path.name} was removed") from error
            status.expect_partial().assert_existing_objects_matched()
            return state

        return self.first_undamaged(read, order)

    def _remove(self, path: Path) -> None:
        """First renamed, so that a kill leaves nothing half-deleted under a checkpoint's name."""
        if path.exists():
            path.replace(self.directory / f"{REMOVED}{path.name}-{os.urandom(4).hex()}")

    def _clean(self) -> None:
        for prefix in (WRITING, REMOVED):
            for path in self.directory.glob(f"{prefix}*"):
                shutil.rmtree(path)


def _write(directory: Path, variables: Mapping[str, Mapping], content: Mapping) -> None:
    """A new directory of a checkpoint's files. `content`: of state.json, but for the checksums."""
    directory.mkdir()
    _trackable(variables).write(str(directory / "variables"))
    files = {path.name: sha256(path) for path in sorted(directory.iterdir())}
    (directory / STATE).write_bytes(state_bytes({**content, "files": files}))
    for path in [*directory.iterdir(), directory]:
        _to_disk(path)


def _trackable(variables: Mapping[str, Mapping]) -> tf.train.Checkpoint:
    return tf.train.Checkpoint(**{group: dict(named) for group, named in variables.items()})


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
