"""The response normalizations of 2012 in float64 NumPy, and their gradients.

Both compute ``y = x * D**-beta`` with ``D = k + alpha * S``, where S sums squares over a window
clipped at the edges. ``alpha`` is the number that multiplies the sum: the paper's 1e-4, net 145's
1e-4 / 5 = 2e-5 across maps and 1e-3 / 25 = 4e-5 in space. With g the incoming gradient,

    dx_i = g_i D_i**-beta - 2 alpha beta x_i * sum_{j : i in window(j)} g_j x_j D_j**(-beta - 1).
"""

import numpy as np

from tests.reference.layers import double


def _window_sum(x: np.ndarray, axis: int, first: int, last: int) -> np.ndarray:
    """``out[i] = x[i + first] + ... + x[i + last]`` along an axis; nothing outside counts."""
    x = np.moveaxis(double(x), axis, 0)
    length = len(x)
    out = np.zeros_like(x)
    for offset in range(first, last + 1):
        low, high = max(0, -offset), min(length, length - offset)
        if low < high:
            out[low:high] += x[low + offset : high + offset]
    return np.moveaxis(out, 0, axis)


def _window(size: int) -> tuple[int, int]:
    """Exactly ``size`` places; an even window reaches one further back than forward (2012)."""
    return -(size // 2), size - 1 - size // 2


def _normalize(x, sum_over, k, alpha, beta):
    return x * (k + alpha * sum_over(x**2)) ** -beta


def _normalize_backward(g, x, sum_over, sum_from, k, alpha, beta):
    base = k + alpha * sum_over(x**2)
    shared = sum_from(g * x * base ** (-beta - 1.0))
    return g * base**-beta - 2.0 * alpha * beta * x * shared


def _across_maps(size: int):
    first, last = _window(size)
    return (
        lambda v: _window_sum(v, -1, first, last),
        # i lies in window(j) exactly when j lies in i's mirrored window.
        lambda v: _window_sum(v, -1, -last, -first),
    )


def _in_space(size: int):
    first, last = _window(size)
    return (
        lambda v: _window_sum(_window_sum(v, 1, first, last), 2, first, last),
        lambda v: _window_sum(_window_sum(v, 1, -last, -first), 2, -last, -first),
    )


def lrn(
    x: np.ndarray, size: int = 5, alpha: float = 1e-4, k: float = 2.0, beta: float = 0.75
) -> np.ndarray:
    """Across maps (the last axis), at every place alone (paper, section 3.3)."""
    return _normalize(double(x), _across_maps(size)[0], k, alpha, beta)


def lrn_backward(
    g: np.ndarray,
    x: np.ndarray,
    size: int = 5,
    alpha: float = 1e-4,
    k: float = 2.0,
    beta: float = 0.75,
) -> np.ndarray:
    x = double(x)
    return _normalize_backward(g, x, *_across_maps(size), k, alpha, beta)


def spatial_norm(
    x: np.ndarray, size: int = 5, alpha: float = 4e-5, k: float = 1.0, beta: float = 0.75
) -> np.ndarray:
    """Over ``size`` x ``size`` places of the same map, ``x`` ``[N, H, W, C]`` (net 145)."""
    return _normalize(double(x), _in_space(size)[0], k, alpha, beta)


def spatial_norm_backward(
    g: np.ndarray,
    x: np.ndarray,
    size: int = 5,
    alpha: float = 4e-5,
    k: float = 1.0,
    beta: float = 0.75,
) -> np.ndarray:
    x = double(x)
    return _normalize_backward(g, x, *_in_space(size), k, alpha, beta)
