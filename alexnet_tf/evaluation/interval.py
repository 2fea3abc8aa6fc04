"""How uncertain an error measured on so many images is."""

from __future__ import annotations

Z95 = 1.959963984540054  # the normal distribution's 97.5 % point


def wilson(error: float, examples: int) -> tuple[float, float]:
    """A 95 % interval of an error, a fraction in [0, 1], from independent images.

    E. B. Wilson's score interval (1927): it stays within [0, 1] and holds for few errors as well.
    Raises ValueError unless examples > 0 and 0 ≤ error ≤ 1.
    """
    if examples < 1 or not 0 <= error <= 1:
        raise ValueError(
            f"expected an error of 0…1 over at least one image. Received: {error} over {examples}"
        )
    share = Z95**2 / examples
    center = (error + share / 2) / (1 + share)
    half = Z95 / (1 + share) * (error * (1 - error) / examples + share / examples / 4) ** 0.5
    return max(0.0, center - half), min(1.0, center + half)
