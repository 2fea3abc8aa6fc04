"""Resampling with antialiasing in float64 NumPy: by Pillow's definition, and by area.

Along each axis, output pixel i lies at ``c = start + (i + 1/2) * scale`` of the source, where
``scale`` is source length over output length. It is the weighted mean of the source pixels whose
centers lie within the filter's support of c, the filter being widened by ``scale`` when that is
above 1 (antialiasing). The weights are normalized, so that edges are not darkened. Nothing is
rounded or clipped on the way: Pillow's 8-bit results lie within about one gray level of this.

"area" is no such filter: output pixel i extends from ``start + i * scale`` to
``start + (i + 1) * scale``, and a source pixel weighs as much of that as it covers. "box" counts a
source pixel wholly or not at all, by its center; the two agree where ``scale`` is whole and the
pixels' edges meet.
"""

from collections.abc import Callable

import numpy as np


def _box(x: np.ndarray) -> np.ndarray:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


def _bilinear(x: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _bicubic(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys' cubic with a = -1/2."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x**2 + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos(x: np.ndarray) -> np.ndarray:
    return np.where((x >= -3) & (x < 3), np.sinc(x) * np.sinc(x / 3), 0.0)


# With Pillow's names.
FILTERS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "box": (_box, 0.5),
    "bilinear": (_bilinear, 1.0),
    "bicubic": (_bicubic, 2.0),
    "lanczos": (_lanczos, 3.0),
}


def weight_matrix(length: int, start: float, stop: float, out: int, name: str) -> np.ndarray:
    """``[out, length]``: how much of each source pixel goes into each output pixel.

    ``start`` and ``stop`` bound the kept part of the source; the filter may still read beyond it.
    """
    scale = (stop - start) / out
    if name == "area":
        return _overlaps(length, start + scale * np.arange(out), scale)
    function, support = FILTERS[name]
    widened = max(scale, 1.0)
    matrix = np.zeros((out, length))
    for i in range(out):
        middle = start + (i + 0.5) * scale
        first = max(0, int(middle - support * widened + 0.5))
        last = min(length, int(middle + support * widened + 0.5))
        at = np.arange(first, last)
        # Multiplied, not divided, as Pillow does: on a box's very edge the rounding decides.
        weights = function((at - middle + 0.5) * (1.0 / widened))
        matrix[i, first:last] = weights / weights.sum()
    return matrix


def _overlaps(length: int, begins: np.ndarray, extent: float) -> np.ndarray:
    """``[out, length]``: what part of [begin, begin + extent] source pixel [j, j + 1] covers."""
    begins, pixels = begins[:, None], np.arange(length)
    ends = np.minimum(begins + extent, pixels + 1)
    return np.maximum(ends - np.maximum(begins, pixels), 0) / extent


def resize(
    image: np.ndarray,
    size: tuple[int, int],
    name: str = "area",
    box: tuple[float, float, float, float] | None = None,
) -> np.ndarray:
    """``[H, W, C]`` to ``[height, width, C]``.

    Args:
      size: (height, width).
      name: area, box, bilinear, bicubic or lanczos.
      box: (left, top, right, bottom) of the kept part of the source, in pixels; all of it if None.
    """
    height, width = image.shape[:2]
    left, top, right, bottom = box or (0, 0, width, height)
    rows = weight_matrix(height, top, bottom, size[0], name)
    columns = weight_matrix(width, left, right, size[1], name)
    return np.einsum("ih,hwc,jw->ijc", rows, np.asarray(image, np.float64), columns, optimize=True)


def central_square(height: int, width: int) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of the largest square in the middle; may fall on half pixels."""
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def resize_central_square(image: np.ndarray, size: int = 256, name: str = "area") -> np.ndarray:
    """Short side to ``size``, then the central ``size`` x ``size``, as one resampling."""
    return resize(image, (size, size), name, central_square(*image.shape[:2]))
