"""Which checkpoints there are, and their states: read without TensorFlow."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from alexnet_tf.config.schema import OptimizerConfig
from alexnet_tf.errors import CheckpointError
from alexnet_tf.runs.checkpoint_state import OLD, PREFIX, read_state

WEIGHTS = "weights"  # the group of variables that is in every checkpoint
log = logging.getLogger(__name__)


class SavedCheckpoints:
    """The checkpoints below one directory, which need not be there."""

    def __init__(self, directory: str | os.PathLike):
        self.directory = Path(directory)

    def steps(self) -> list[int]:
        """Steps of the checkpoints there are, oldest first."""
        names = {path.name.removesuffix(OLD) for path in self.directory.glob(f"{PREFIX}*")}
        return sorted(int(n.removeprefix(PREFIX)) for n in names if n[len(PREFIX) :].isdigit())

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step is, or would be."""
        return self.directory / f"{PREFIX}{step:09d}"

    def newest_state(self) -> Mapping | None:
        """The newest undamaged one's; None if there is none. CheckpointError: all are damaged."""
        _, state = self.first_undamaged(reversed(self.steps()))
        return state

    def first_undamaged(self, steps: Iterable[int]) -> tuple[Path, Mapping] | tuple[None, None]:
        """The first of these steps' and its state; None twice where there are no steps.

        A damaged one is passed over with a warning. CheckpointError: all are damaged.
        """
        paths = [path for step in steps for path in self.paths(step)]
        for path in paths:
            try:
                return path, read_state(path)
            except (OSError, ValueError) as error:
                log.warning("checkpoint %s is damaged (%s); trying another", path, error)
        if paths:
            raise CheckpointError(
                f"expected an undamaged checkpoint in {self.directory}, found {len(paths)} damaged"
                " ones; remove the directory to begin anew"
            )
        return None, None

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
