"""Gradients by central differences in float64, to judge gradients written by hand."""

from collections.abc import Callable

import numpy as np


def gradient(f: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """``df/dx`` of a scalar function, one coordinate at a time. Error of the order ``step**2``."""
    x = np.array(x, np.float64)
    out = np.empty_like(x)
    for index in np.ndindex(*x.shape):
        kept = x[index]
        x[index] = kept + step
        above = f(x)
        x[index] = kept - step
        below = f(x)
        x[index] = kept
        out[index] = (above - below) / (2 * step)
    return out


def along(f: Callable[[float], float], step: float = 1e-5) -> float:
    """``df/dt`` at ``t = 0``, to fourth order in ``step``."""
    near = f(step) - f(-step)
    far = f(2 * step) - f(-2 * step)
    return (8 * near - far) / (12 * step)
