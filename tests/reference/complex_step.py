"""Gradients by complex steps in float64, to judge gradients written by hand.

For a function that is analytic where it is evaluated, ``f(x + ih) = f(x) + i h f'(x) + O(h^2)``:
the imaginary part holds the derivative by itself, nothing is subtracted, and a step of 1e-30
leaves neither a truncation error (of the order ``h^2``) nor a kink within its reach: NumPy orders
complex numbers by their real parts first, so every maximum and every ReLU chooses as it does for
real numbers. What is left is the rounding of ``f`` itself (Squire and Trapp, SIAM Review 40, 1998).
``f`` must keep complex numbers complex: no ``abs``, no cast to float64.
"""

from collections.abc import Callable

import numpy as np

STEP = 1e-30


def gradient(f: Callable[[np.ndarray], complex], x: np.ndarray) -> np.ndarray:
    """``df/dx`` of a scalar function, one coordinate at a time."""
    x = np.array(x, np.complex128)
    out = np.empty(x.shape, np.float64)
    for index in np.ndindex(*x.shape):
        kept = x[index]
        x[index] = kept + 1j * STEP
        out[index] = np.imag(f(x)) / STEP
        x[index] = kept
    return out


def along(f: Callable[[complex], complex]) -> float:
    """``df/dt`` at ``t = 0``."""
    return float(np.imag(f(1j * STEP)) / STEP)
