"""What is compared, taken from outcomes: errors picture by picture, or a number for each seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from alexnet_tf.errors import RunError
from alexnet_tf.reproduction import kernel_color
from alexnet_tf.reproduction.claim_parts import COLOR, EPOCHS, ERRORS, Measure
from alexnet_tf.reproduction.kernel_color import Kernels
from alexnet_tf.reproduction.outcome import Outcome


def wrong(measure: Measure, views: int, outcomes: Sequence[Outcome]) -> np.ndarray:
    """bool [seeds, pictures], of a measure that is counted picture by picture."""
    top = 1 if measure.name == ERRORS[0] else 5
    return np.stack([outcome.wrong(views, top) for outcome in outcomes])


def by_seed(measure: Measure, views: int, outcomes: Sequence[Outcome]) -> list[float]:
    """A number for each outcome: a fraction, or epochs (infinite if it never got there).

    Raises RunError: an outcome does not say how colored its towers are.
    """
    if measure.name in ERRORS:
        return wrong(measure, views, outcomes).mean(axis=1).tolist()
    if measure.name == COLOR:
        return [kernel_color.difference(towers_of(outcome)) for outcome in outcomes]
    errors = [outcome.course.training_error for outcome in outcomes]
    if measure.name == EPOCHS:
        return [epochs_until(course, measure.below) for course in errors]
    return [course[-1] for course in errors]


def towers_of(outcome: Outcome) -> tuple[Kernels, ...]:
    """First-layer kernels. Raises RunError: it does not say them, or they are not of two towers."""
    if outcome.first_layer is None or len(outcome.first_layer) != 2:
        raise RunError(
            f"expected the first layer's kernels of two towers in the outcome of"
            f" {outcome.identity}, seed {outcome.seed}; put its run back in --runs, or remove the"
            " outcome to have it made again"
        )
    return outcome.first_layer


def epochs_until(errors: Sequence[float], below: float) -> float:
    """Epochs until the error is first below, with straight lines between the epochs' ends.

    The first epoch's error has none before it: it counts as reached at that epoch's end.
    """
    before = None
    for epoch, error in enumerate(errors, 1):
        if error < below:
            return (
                epoch - (below - error) / (before - error) if before is not None else float(epoch)
            )
        before = error
    return math.inf
