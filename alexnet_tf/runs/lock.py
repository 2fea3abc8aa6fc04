"""The lock on a run directory: one training at a time, and in a directory that stays there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from alexnet_tf.errors import MISTAKEN, JobError, RunError
from alexnet_tf.runs.preset_files import is_preset

LOCK = "lock"


class RunLock:
    """A held lock: RUN/lock, open."""

    def __init__(self, path: Path, descriptor: int):
        self.path, self._descriptor = path, descriptor

    def check(self) -> None:
        """Raises JobError if the directory was removed, or replaced by another, since."""
        try:
            there = os.path.samestat(os.stat(self.path / LOCK), os.fstat(self._descriptor))
        except OSError:
            there = False
        if not there:
            raise JobError(
                f"the run directory {self.path} was removed or replaced during the training; what"
                " was trained since its last checkpoint is lost"
            )


@contextlib.contextmanager
def locked(path: str | os.PathLike) -> Iterator[RunLock]:
    """Makes the run directory and holds its lock.

    Raises RunError if another training has it, it cannot be made or written in, or is a preset;
    JobError where the disk would not.
    """
    path = Path(path)
    if is_preset(path):
        raise RunError(
            f"expected a new or empty run directory, received the preset {path}; choose another, to"
            f" begin with its weights: 'init_from={{path: {path}, format: null}}'"
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
        # Opened for reading and writing, a pipe of this name is not waited for.
        descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        line = f"cannot use {path} as a run directory: {_reason(error)}"
        raise (RunError if error.errno in MISTAKEN else JobError)(line) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RunError(f"expected {path / LOCK} to be a file, received something else")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                f"expected {path} to be free, but another training is using it"
            ) from error
        except OSError as error:
            raise RunError(
                f"cannot lock {path / LOCK}: {_reason(error)}; choose a --run on a filesystem with"
                " locks"
            ) from error
        yield RunLock(path, descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
