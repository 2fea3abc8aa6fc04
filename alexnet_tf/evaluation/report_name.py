"""What a report's file is called: two that measure something else lie beside each other."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence

DIGITS = 8  # hexadecimal ones of a digest


def report_name(
    runs: Sequence[str | os.PathLike],
    weights: Sequence[float],
    split: str,
    views: int,
    *,
    part: str = "all",
    checkpoint: str = "newest",
    other_dataset: str = "",
) -> str:
    """Without its ending. A report is only replaced where the same is measured once more.

    An ensemble lies with its first run, so digits of all runs, weights and part tell it from
    others. Weights that were searched (a part of the images is left) are found, not asked for.

    Args:
        weights, part, checkpoint: as `report.Subject` has them.
        other_dataset: the fingerprint of the dataset, where it is not the first run's own.
    """
    words = [split, f"{views}-views"]
    if checkpoint != "newest":
        words.append(checkpoint)
    if len(runs) > 1:
        asked = [list(map(os.path.realpath, runs)), list(weights) if part == "all" else part]
        digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        words = ["ensemble", *words, digest[:DIGITS]]
    if other_dataset:
        words.append(other_dataset[:DIGITS])
    return "-".join(words)
