"""Shrinking by area: every result pixel is the mean of exactly the area that it covers.

A source pixel counts with the share of it that is covered, as in OpenCV's INTER_AREA (with which
cuda-convnet2 shrank its images) and TensorFlow's ResizeMethod.AREA. Pillow's BOX is another
filter unless the ratio is whole: it counts a source pixel fully or not at all, and from 375 to
256 pixels, say, some result pixels are single source pixels and others the mean of two.

Weights are multiples of 2^-12, and columns are summed before rows with 4 binary digits kept
between, so that all sums are exact in float32: the result is the same on every processor, and
within half a grey level and a tenth of the true mean.
"""

from functools import lru_cache

import numpy as np
from scipy import sparse

_WEIGHT_STEPS = 1 << 12
_BETWEEN_STEPS = 1 << 4
_ROUNDING = 1e-9  # pixels by which left + side may pass the edge
_BLOCK_VALUES = 1 << 22  # float32 copies of the source are made by blocks of about 16 MB


def shrink_by_area(
    pixels: np.ndarray, left: float, top: float, side: float, size: int
) -> np.ndarray:
    """The square of `side` source pixels at (left, top), shrunk to size x size.

    Args:
        pixels: uint8 [height, width, channels], 0..255.
        left, top, side: the square, in source pixels; inside the image, side >= size.
        size: side of the result, in pixels.

    Returns:
        uint8 [size, size, channels].

    Raises:
        ValueError: the square is smaller than the result, or not inside the image.
    """
    if (
        side < size
        or min(left, top) < 0
        or max(top - pixels.shape[0], left - pixels.shape[1]) + side > _ROUNDING
    ):
        raise ValueError(
            f"Expected a square of at least {size} pixels inside {list(pixels.shape)}. "
            f"Received: left={left}, top={top}, side={side}"
        )
    x, y = int(left), int(top)
    pixels = pixels[y : int(np.ceil(top + side)), x : int(np.ceil(left + side))]
    height, width, channels = pixels.shape
    rows = _weights(height, top - y, side, size)
    columns = _weights(width, left - x, side, size)
    half = _sum_rows(rows, pixels.reshape(height, -1))  # [size, width * channels]
    half *= _BETWEEN_STEPS
    half = _transposed(np.rint(half, out=half).reshape(size, width, channels))
    shrunk = columns @ half.reshape(width, -1)  # [size, size * channels]
    shrunk *= 1 / _BETWEEN_STEPS
    shrunk += 0.5
    return _transposed(shrunk.astype(np.uint8).reshape(size, size, channels))


def _transposed(pixels: np.ndarray) -> np.ndarray:
    """[a, b, channels] -> [b, a, channels], a channel at a time: four times faster than at once."""
    result = np.empty((pixels.shape[1], pixels.shape[0], pixels.shape[2]), pixels.dtype)
    for channel in range(pixels.shape[2]):
        result[..., channel] = pixels[..., channel].T
    return result


def _sum_rows(weights: sparse.csr_matrix, values: np.ndarray) -> np.ndarray:
    """weights [out, in] times uint8 [in, n], as float32 [out, n], in little memory."""
    if values.size <= _BLOCK_VALUES:
        return weights @ values.astype(np.float32)
    result = np.empty((weights.shape[0], values.shape[1]), np.float32)
    blocks = min(weights.shape[0], -(-values.size // _BLOCK_VALUES))
    for kept in np.array_split(np.arange(weights.shape[0]), blocks):
        part = weights[kept]
        used = slice(part.indices.min(), part.indices.max() + 1)
        result[kept] = part[:, used] @ values[used].astype(np.float32)
    return result


@lru_cache(maxsize=512)  # photographs come in few sizes; a matrix of 375 -> 256 takes 6 KB
def _weights(length: int, start: float, side: float, size: int) -> sparse.csr_matrix:
    """float32 [size, length]: what part of result pixel i's extent is source pixel j.

    Result pixel i extends from start + i * side / size to start + (i + 1) * side / size.
    """
    edges = start + np.arange(size + 1) * (side / size)
    first = np.floor(edges[:-1]).astype(int)
    taps = int(np.ceil(side / size)) + 1
    # Covered share of the extent up to each source pixel's end, in steps; its differences are the
    # weights, and sum to 1 whatever the rounding.
    ends = first[:, None] + np.arange(taps + 1)
    covered = np.clip((ends - edges[:-1, None]) / (side / size), 0, 1)
    weights = np.diff(np.rint(covered * _WEIGHT_STEPS), axis=1) / _WEIGHT_STEPS
    rows, shifts = np.nonzero(weights)
    values = weights[rows, shifts].astype(np.float32)
    return sparse.csr_matrix((values, (rows, first[rows] + shifts)), (size, length))
