"""Which checkpoints there are, and their states: read without TensorFlow."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from alexnet_tf.config.schema import OptimizerConfig
from alexnet_tf.errors import CheckpointError
from alexnet_tf.runs.checkpoint_state import OLD, PREFIX, read_error, read_state

WEIGHTS = "weights"  # the group of variables that is in every checkpoint
Read = TypeVar("Read")
log = logging.getLogger(__name__)


class SavedCheckpoints:
    """The checkpoints below one directory, which need not be there.

    Args: locked, whether this process holds the run's lock, so that nothing is written meanwhile.
    """

    def __init__(self, directory: str | os.PathLike, *, locked: bool = False):
        self.directory, self.locked = Path(directory), locked

    def steps(self) -> list[int]:
        """Steps of the checkpoints there are, oldest first."""
        names = {path.name.removesuffix(OLD) for path in self.directory.glob(f"{PREFIX}*")}
        return sorted(int(n.removeprefix(PREFIX)) for n in names if n[len(PREFIX) :].isdigit())

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step is, or would be."""
        return self.directory / f"{PREFIX}{step:09d}"

    def newest_state(self) -> Mapping | None:
        """The newest undamaged one's; None if there is none. CheckpointError: all are damaged."""
        return self.first_undamaged(read_state)

    def first_undamaged(
        self,
        read: Callable[[Path], Read],
        order: Callable[[list[int]], Iterable[int]] = reversed,
    ) -> Read | None:
        """What `read` makes of the first checkpoint that it can read; None where there are none.

        A damaged one is passed over with a warning. Where a training has written or removed some
        meanwhile, all begins again: none of those that were listed may be there any more.

        Args:
            read: raises OSError or ValueError for a damaged one.
            order: of the steps there are (oldest first), those to try, in the order to try them.

        CheckpointError: all are damaged.
        """
        listed = None
        while listed is None or self._listed() != listed:
            listed, damaged = self._listed(), 0
            for path in [path for step in order(self.steps()) for path in self.paths(step)]:
                try:
                    return read(path)
                except (OSError, ValueError) as error:
                    if self._listed() != listed:
                        listed = None
                        break
                    log.warning("checkpoint %s is damaged (%s); trying another", path, error)
                    damaged += 1
        if damaged:
            advice = "; remove the directory to begin anew" if self.locked else ""
            raise CheckpointError(
                f"expected an undamaged checkpoint in {self.directory}, found {damaged} damaged"
                f" ones{advice}"
            )
        return None

    def by_error(self, steps: Iterable[int]) -> list[int]:
        """Those of the steps that have an error, the lowest first; of equal ones the earliest."""
        errors = []
        for step in steps:
            for path in self.paths(step)[:1]:
                try:
                    error = read_error(path)
                except (OSError, ValueError) as damage:
                    if path.exists():  # else a training has removed it since it was listed
                        log.warning("checkpoint %s is damaged (%s)", path, damage)
                    continue
                if error is not None:
                    errors.append((error, step))
        return [step for _, step in sorted(errors)]

    def _listed(self) -> set[tuple[str, int]]:
        """Names and inodes: a checkpoint that replaces another of its step is a change, too."""
        try:
            with os.scandir(self.directory) as entries:
                return {(e.name, e.inode()) for e in entries if e.name.startswith(PREFIX)}
        except OSError:
            return set()  # as `steps`

    def paths(self, step: int) -> list[Path]:
        """What there is of a step's checkpoint: it, and the one that is just being replaced."""
        path = self.path(step)
        return [there for there in (path, old(path)) if there.exists()]


def prediction_group(optimizer: OptimizerConfig) -> str:
    """Of a checkpoint's groups, the weights that a trained network predicts with."""
    return "averages" if optimizer.name == "moving-average" else WEIGHTS


def old(path: Path) -> Path:
    """Where a checkpoint lies while another of its step takes its place."""
    return path.with_name(f"{path.name}{OLD}")
