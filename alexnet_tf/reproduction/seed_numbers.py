"""Estimates from a number for each seed, such as the epochs until an error is reached."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from alexnet_tf.reproduction.estimate import LEVEL, Estimate


def ratio(
    first: Sequence[float],
    second: Sequence[float],
    ends: tuple[Sequence[float], Sequence[float]] | None = None,
) -> Estimate:
    """The ratio of two arms' geometric means, for instance of epochs until an error is reached.

    Student's t interval of the difference of mean logarithms, whose spread is taken to be the same
    in both arms. A run that had not got there when it ended is infinite: it counts as its own end,
    so the ratio is a bound; the interval is open on that side, and the spread that of the other arm
    alone. Where no arm shows a spread the interval is (0, ∞).

    Args: first, second: positive, a number for each seed; ends, when each run ended.
    Raises ValueError: no numbers, one that is not positive or beyond its run's end, or infinite
    ones without ends.
    """
    arms = [np.asarray(arm, np.float64) for arm in (first, second)]
    censored = [bool(np.isinf(arm).any()) for arm in arms]
    if not all(arm.ndim == 1 and arm.size and (arm > 0).all() for arm in arms):
        raise ValueError(f"expected positive numbers, received {first} and {second}")
    last = [np.asarray(end, np.float64) for end in ends or arms]
    finite = zip(arms, last, strict=True)
    if any(a.shape != e.shape or not (e >= np.where(np.isinf(a), 0, a)).all() for a, e in finite):
        raise ValueError(f"expected an end of each run, none before its number, received {ends}")
    arms = [np.where(np.isinf(arm), end, arm) for arm, end in zip(arms, last, strict=True)]
    if not all(np.isfinite(arm).all() for arm in arms):
        raise ValueError("expected the ends of unfinished runs, received none")
    logs = [np.log(arm) for arm in arms]
    value = float(logs[0].mean() - logs[1].mean())
    shown = [log for log, open_end in zip(logs, censored, strict=True) if not open_end]
    freedom = sum(log.size - 1 for log in shown)
    if not freedom:
        return Estimate(math.exp(value), 0.0, math.inf)
    squares = sum(((log - log.mean()) ** 2).sum() for log in shown)
    variance = squares / freedom * sum(1 / log.size for log in logs)
    half = stdtrit(freedom, (1 + LEVEL) / 2) * math.sqrt(variance)
    low = 0.0 if censored[1] else math.exp(value - half)
    high = math.inf if censored[0] else math.exp(value + half)
    return Estimate(math.exp(value), low, high)


def mean_interval(numbers: Sequence[float]) -> Estimate:
    """The mean of a number for each seed, with Student's t interval: open for a single seed.

    Raises ValueError: no finite numbers.
    """
    arm = _finite(numbers)
    if arm.size == 1:
        return Estimate(float(arm[0]), -math.inf, math.inf)
    return _student(float(arm.mean()), arm.var(ddof=1) / arm.size, arm.size - 1)


def mean_difference(
    first: Sequence[float], second: Sequence[float], kin: Sequence[Sequence[float]] = ()
) -> Estimate:
    """The first arm's mean less the second's, of a number for each seed.

    Student's t interval with the same spread in both arms, and in `kin`: open where none of them
    has two seeds.

    Raises ValueError: no finite numbers.
    """
    arms = [_finite(first), _finite(second)]
    value = float(arms[0].mean() - arms[1].mean())
    spread = [*arms, *map(_finite, kin)]
    freedom = sum(arm.size - 1 for arm in spread)
    if not freedom:
        return Estimate(value, -math.inf, math.inf)
    pooled = sum(((arm - arm.mean()) ** 2).sum() for arm in spread) / freedom
    return _student(value, pooled * sum(1 / arm.size for arm in arms), freedom)


def _finite(numbers: Sequence[float]) -> np.ndarray:
    arm = np.asarray(numbers, np.float64)
    if arm.ndim != 1 or not arm.size or not np.isfinite(arm).all():
        raise ValueError(f"expected finite numbers, received {numbers}")
    return arm


def _student(value: float, variance: float, freedom: int) -> Estimate:
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * math.sqrt(variance)
    return Estimate(value, value - half, value + half)
