"""Whether reports are of the weights that their runs have now, or of earlier ones."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from alexnet_tf.errors import JobError, UserError
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.stored_weights import stored_weights, weights_sha256

EARLIER, UNKNOWN = "of earlier weights", "of unknown weights"
log = logging.getLogger(__name__)


class PresentWeights:
    """The SHA-256 of runs' weights, of which each checkpoint is read once."""

    def __init__(self):
        self._read: dict[tuple[Path, str], str | None] = {}

    def mark(self, report: Mapping, run: Path) -> str:
        """What is to be said of a report that lies in `run`: "" where all of its networks have the
        weights that it measured, of the same kind of checkpoint; else EARLIER or UNKNOWN.

        Unknown are those of a report of an older version, which does not name them, and those of
        networks whose run is gone or damaged, of which a warning tells.
        """
        measured = report.get("weights_sha256")
        if measured is None:
            return UNKNOWN
        paths = [run, *map(Path, report["runs"][1:])]  # its own, whatever it was called then
        present = [self._of(path, report.get("checkpoint", "newest")) for path in paths]
        known = [pair for pair in zip(measured, present, strict=True) if pair[1] is not None]
        if any(then != now for then, now in known):
            return EARLIER
        return "" if len(known) == len(paths) else UNKNOWN

    def _of(self, path: Path, checkpoint: str) -> str | None:
        if (path, checkpoint) not in self._read:
            try:
                weights = stored_weights(run_directory.load(path), checkpoint)
                self._read[path, checkpoint] = weights_sha256(weights)
            except (UserError, JobError) as error:
                log.warning("the weights of %s cannot be compared: %s", path, error)
                self._read[path, checkpoint] = None
        return self._read[path, checkpoint]
