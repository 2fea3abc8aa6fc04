"""How fast an error falls along a factor: the slope of a straight line through several arms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alexnet_tf.reproduction.estimate import Estimate
from alexnet_tf.reproduction.statistics import FOR_DIFFERENCE, checked, interval_of_mean


def weights_of(places: Sequence[float]) -> np.ndarray:
    """Of the values at these places, in the slope of the line of least squares; they sum to 0.

    With x the places less their mean, a slope is Σ x·y / Σ x². Raises ValueError: fewer than two.
    """
    x = np.asarray(places, np.float64)
    if x.ndim != 1 or len(set(x.tolist())) < 2 or not np.isfinite(x).all():
        raise ValueError(f"expected two places or more, received {places}")
    x = x - x.mean()
    return x / (x**2).sum()


def paired_slope(
    wrong: Sequence[np.ndarray],
    places: Sequence[float],
    kin: Sequence[np.ndarray] = (),
    than: Sequence[np.ndarray] = (),
    drawn: bool = True,
) -> Estimate:
    """The slope of arms' errors over their places, in percentage points to a unit of place.

    It is a weighted sum of the arms' errors, and so the mean over the pictures of each picture's
    own slope: as in a difference of two arms (whose weights at places 1 and 0 are 1 and −1), what
    makes a picture hard for all arms falls out. Arms weigh alike, however many seeds they have.

    Args:
        wrong: bool [seeds, pictures] of each arm (or shares of an error in [0, 1]), over the same
            pictures.
        kin: of other networks, whose seeds spread as those of the arms.
        than: for each arm another one, at the same place; then the slope is that of the errors'
            differences.
        drawn: whether those depend on a seed. If not, no seeds' spread of theirs is allowed for.
    Raises:
        ValueError: no such arrays, other pictures, or fewer than two places.
    """
    slope = weights_of(places)
    weights = np.concatenate([slope, -slope]) if than else slope
    arms = [checked(arm) for arm in (*wrong, *than)]
    if len({arm.shape[1] for arm in arms}) != 1 or len(arms) != len(weights):
        raise ValueError(
            f"expected {len(weights)} arms on the same pictures, received"
            f" {[arm.shape for arm in arms]}"
        )
    slopes = sum(w * arm.mean(axis=0) for w, arm in zip(weights, arms, strict=True))
    added = np.abs(weights).sum() / 2 * FOR_DIFFERENCE  # the slope's range, for a difference's 1
    seeded = len(arms) if drawn else len(wrong)
    center, half = interval_of_mean(
        slopes, arms[:seeded], added, [checked(arm) for arm in kin], weights[:seeded]
    )
    return Estimate(*(100 * float(end) for end in (slopes.mean(), center - half, center + half)))
