"""The network's operations in float64 NumPy, written from their formulas: the judge of the rest.

Nothing here is fast for its own sake or shared with ``alexnet_tf``. Images are ``[N, H, W, C]``,
convolution kernels ``[H, W, in, out]``, vectors ``[N, C]``. Each operation ``f(x, ...)`` has its
gradient ``f_backward(g, x, ...)``, where ``g`` is the gradient of the loss with respect to
``f``'s output. The normalizations are in ``norms.py``. Complex numbers stay complex, for
``complex_step.py``.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Padding = int | tuple[tuple[int, int], tuple[int, int]]


def double(x: np.ndarray) -> np.ndarray:
    """As float64, or as complex128 where it is complex."""
    return np.asarray(x, np.complex128 if np.iscomplexobj(x) else np.float64)


def _pad(x: np.ndarray, padding: Padding, value: float = 0.0) -> np.ndarray:
    if isinstance(padding, int):
        padding = ((padding, padding), (padding, padding))
    return np.pad(double(x), ((0, 0), *padding, (0, 0)), constant_values=value)


def _columns(padded: np.ndarray, height: int, width: int, stride: int) -> np.ndarray:
    """Every window as a row of a matrix: ``[N, out H, out W, height * width * C]``."""
    windows = sliding_window_view(padded, (height, width), axis=(1, 2))[:, ::stride, ::stride]
    windows = windows.transpose(0, 1, 2, 4, 5, 3)
    return windows.reshape(*windows.shape[:3], -1)


def conv2d(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, stride: int = 1, padding: Padding = 0
) -> np.ndarray:
    """Cross-correlation with zero padding ``((top, bottom), (left, right))`` (or one number).

    ``y[n, i, j, o] = bias[o] + sum_{u, v, c} x[n, i * s + u, j * s + v, c] kernel[u, v, c, o]``
    over the padded ``x`` with stride s; only windows that lie wholly inside it count.
    """
    height, width, _, out = kernel.shape
    columns = _columns(_pad(x, padding), height, width, stride)
    return columns @ double(kernel).reshape(-1, out) + bias


def conv2d_backward(
    g: np.ndarray, x: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: Padding = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients with respect to ``x``, ``kernel`` and the bias."""
    height, width, channels, out = kernel.shape
    padded = _pad(x, padding)
    rows, cols = g.shape[1:3]
    flat = g.reshape(-1, out)
    columns = _columns(padded, height, width, stride).reshape(flat.shape[0], -1)
    dkernel = (columns.T @ flat).reshape(kernel.shape)
    dcolumns = flat @ double(kernel).reshape(-1, out).T
    dcolumns = dcolumns.reshape(*g.shape[:3], height, width, channels)
    dpadded = np.zeros_like(padded)
    for u in range(height):
        for v in range(width):
            dpadded[:, u : u + stride * rows : stride, v : v + stride * cols : stride] += dcolumns[
                :, :, :, u, v
            ]
    if isinstance(padding, int):
        padding = ((padding, padding), (padding, padding))
    (top, _), (left, _) = padding
    dx = dpadded[:, top : top + x.shape[1], left : left + x.shape[2]]
    return dx, dkernel, flat.sum(axis=0)


def pool_output_size(length: int, size: int, stride: int) -> int:
    """2012's arithmetic: rounded up, so that a last window may hang over the end."""
    return -((size - length) // stride) + 1


def _pool_windows(x: np.ndarray, size: int, stride: int) -> tuple[np.ndarray, tuple[int, int]]:
    out = [pool_output_size(length, size, stride) for length in x.shape[1:3]]
    over = [(o - 1) * stride + size - n for o, n in zip(out, x.shape[1:3], strict=True)]
    # What lies outside the image never wins. A stride above the size may leave pixels unread.
    padded = _pad(x, ((0, max(over[0], 0)), (0, max(over[1], 0))), -np.inf)
    windows = sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    windows = windows[:, : out[0], : out[1]]
    return windows.reshape(*windows.shape[:4], size * size), padded.shape[1:3]


def max_pool(x: np.ndarray, size: int = 3, stride: int = 2) -> np.ndarray:
    """Maximum over ``size`` x ``size`` windows, overlapping when ``stride < size``.

    Windows may hang over the bottom and right edges; pixels outside the image do not count.
    """
    return _pool_windows(x, size, stride)[0].max(axis=-1)


def leads_of_maxima(x: np.ndarray, size: int = 3, stride: int = 2) -> np.ndarray:
    """By how much each window's maximum exceeds the second largest of its pixels."""
    pixels = np.sort(_pool_windows(x, size, stride)[0], axis=-1)
    return pixels[..., -1] - pixels[..., -2]


def max_pool_backward(
    g: np.ndarray, x: np.ndarray, size: int = 3, stride: int = 2, ties: str = "first"
) -> np.ndarray:
    """The gradient goes to the first maximum of each window, in row-major order, or to ``all``.

    2012's kernel gave it to every pixel equal to the maximum. After a ReLU the two agree: there
    ties are between zeros, whose gradient the ReLU stops.
    """
    windows, (height, width) = _pool_windows(x, size, stride)
    if ties == "first":
        wins = np.arange(size * size) == windows.argmax(axis=-1)[..., None]
    else:
        wins = windows == windows.max(axis=-1, keepdims=True)
    dx = np.zeros((x.shape[0], height, width, x.shape[3]))
    rows, cols = g.shape[1:3]
    for u in range(size):
        for v in range(size):
            dx[:, u : u + stride * rows : stride, v : v + stride * cols : stride] += (
                g * wins[..., u * size + v]
            )
    return dx[:, : x.shape[1], : x.shape[2]]


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(double(x), 0.0)


def relu_backward(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Zero where ``x <= 0``."""
    return g * (x > 0)


def tanh(x: np.ndarray) -> np.ndarray:
    return np.tanh(double(x))


def tanh_backward(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    return g * (1.0 - np.tanh(x) ** 2)


def dense(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """``x @ kernel + bias`` for ``x`` ``[N, in]`` and ``kernel`` ``[in, out]``."""
    return double(x) @ double(kernel) + bias


def dense_backward(
    g: np.ndarray, x: np.ndarray, kernel: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients with respect to ``x``, ``kernel`` and the bias."""
    return g @ double(kernel).T, x.T @ g, g.sum(axis=0)


def dropout_factor(form: str, mask: np.ndarray | None, keep: float = 0.5) -> np.ndarray | float:
    """What a unit is multiplied with, and its gradient too.

    ``form`` is "2012" (training: the mask; test: ``keep``), "inverted" (training: mask / keep;
    test: 1) or "none". ``mask`` holds 0 and 1; None means test time.
    """
    if form == "none":
        return 1.0
    if form == "2012":
        return keep if mask is None else double(mask)
    if form == "inverted":
        return 1.0 if mask is None else double(mask) / keep
    raise ValueError(f"expected 2012, inverted or none. Received: form={form!r}")


def softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def softmax_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, divisor: int | None = None
) -> tuple[float, np.ndarray]:
    """``sum_n -log p[n, label n] / divisor`` and its gradient; ``divisor`` is N unless given."""
    logits = double(logits)
    count = len(logits) if divisor is None else divisor
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    hit = np.eye(logits.shape[1])[labels]
    return -(log_p * hit).sum() / count, (np.exp(log_p) - hit) / count
