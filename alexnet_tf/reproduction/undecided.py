"""What it would take to decide a claim that is inconclusive."""

from __future__ import annotations

import math

from alexnet_tf.reproduction.result import Result, interval

MOST = 1000  # times; from there on no number means anything


def times(result: Result) -> float | None:
    """How many times as much data would decide it, if the effect is the measured one.

    An interval narrows with the square root of the data; where seeds are few, faster, as more of
    them tell their own spread better. None: the claim is decided, or no amount
    can be told, as where an end of the interval is open.
    """
    if result.verdict != "inconclusive" or result.kind not in ("lower", "trend", "figure"):
        return None
    effect, *ends = interval(result)
    if not all(map(math.isfinite, ends)):
        return None
    bound = result.within or 0.0
    distance = abs(effect - bound)
    half = max(abs(end - effect) for end in ends if (end - effect) * (bound - effect) >= 0)
    if half <= distance:  # decided, but that a shortened training refutes no figure
        return None
    return (half / distance) ** 2 if distance > half / math.sqrt(MOST) else math.inf


def sentence(result: Result) -> str:
    """How many pictures, and seeds, would decide it; of another result: nothing."""
    factor = times(result)
    if factor is None:
        return ""
    of = "pictures" if result.covered.startswith("pictures only") else "pictures and seeds"
    if result.covered == "seeds":
        of = "seeds"
    if math.isinf(factor):
        return (
            f"The effect lies so near the bound that no number of {of} can be named to decide it."
        )
    more = f"{factor:.1f}" if factor < 10 else f"{factor:.0f}"
    return f"If the effect is the measured one, {more} times as many {of} would decide it at most."
