"""How uncertain an error measured on so many images is."""

from __future__ import annotations

import math

ROUNDING = 1e-6  # images by which error · examples may miss a whole number


def wilson(error: float, examples: int) -> tuple[float, float]:
    """A 95 % interval of an error, a fraction in [0, 1], from independent images.

    E. B. Wilson's score interval (1927): it stays within [0, 1] and holds for few errors as well.
    It is defined for whole numbers of errors. Where ties share the credit (`metrics.top_k_error`)
    there can be 2.5 of them: then from the lower end for 2 to the upper end for 3. Both ends rise
    with the number of errors, so this is never narrower than Wilson's formula at 2.5, and by less
    than one image wider on either side.

    Raises ValueError unless examples > 0 and 0 ≤ error ≤ 1.
    """
    if examples < 1 or not 0 <= error <= 1:
        raise ValueError(
            f"expected an error of 0…1 over at least one image. Received: {error} over {examples}"
        )
    errors = error * examples
    low, _ = _of_whole(math.floor(errors + ROUNDING), examples)
    _, high = _of_whole(math.ceil(errors - ROUNDING), examples)
    return low, high


def _of_whole(errors: int, examples: int) -> tuple[float, float]:
    from scipy.stats import binomtest  # takes a second, and only a report needs it

    interval = binomtest(errors, examples).proportion_ci(0.95, method="wilson")
    return max(0.0, float(interval.low)), min(1.0, float(interval.high))
