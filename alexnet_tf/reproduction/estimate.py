"""A figure with its 95 % interval, and what that makes of a claim.

Units: errors in percent, differences in percentage points.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

LEVEL = 0.95
Verdict = Literal["verified", "contradicted", "inconclusive"]


class Estimate(NamedTuple):
    """A figure and its 95 % interval; an end that the data leave open is 0 or infinite."""

    value: float
    low: float
    high: float


def verdict(low: float, high: float, claimed: tuple[float, float]) -> Verdict:
    """Whether an interval lies within what is claimed, wholly outside, or neither.

    Args: claimed, an open interval: (0, inf) for a difference above zero, (17, 19) for an error
    within a point of 18 %.
    """
    lowest, highest = claimed
    if high < lowest or low > highest:
        return "contradicted"
    above = low > lowest or lowest == -math.inf
    return "verified" if above and (high < highest or highest == math.inf) else "inconclusive"
