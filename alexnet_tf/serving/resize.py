"""In TensorFlow: the conversion's geometry, so that a served model sees what it was trained on.

The central square of an image, resampled to size×size as `preprocessing.images` does it: by true
area where it shrinks, or with Pillow's antialiased bilinear, bicubic or Lanczos kernel.
"""

from __future__ import annotations

import math

import tensorflow as tf

# Pillow's kernels: half width, and value at distance x ≥ 0.
KERNELS = {
    "bilinear": (1.0, lambda x: 1.0 - x),
    "bicubic": (2.0, lambda x: tf.where(x < 1.0, _near(x), _far(x))),
    "lanczos": (3.0, lambda x: _sinc(x) * _sinc(x / 3.0)),
}


def _near(x: tf.Tensor) -> tf.Tensor:
    return (1.5 * x - 2.5) * x * x + 1.0


def _far(x: tf.Tensor) -> tf.Tensor:
    return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0


def _sinc(x: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(tf.sin(math.pi * x), math.pi * x) + tf.cast(x == 0, x.dtype)


def central_square(image: tf.Tensor, size: int, kind: str) -> tf.Tensor:
    """uint8 [size, size, 3] from uint8 [h, w, 3] of any size.

    Args:
        kind: "area" (which enlarges by bicubic), "bilinear", "bicubic" or "lanczos".
    """
    shape = tf.shape(image)
    side = tf.minimum(shape[0], shape[1])
    rows = _weights(shape[0], side, size, kind)
    columns = _weights(shape[1], side, size, kind)
    # Not by tf.tensordot, whose transposition TensorFlow's optimizer applies to the bytes, and then
    # reports that oneDNN has none for them.
    x = tf.einsum("xw,hwc->xhc", columns, tf.cast(image, tf.float32))  # [size, h, 3]
    by_kernel = tf.logical_or(kind != "area", side < size)
    x = tf.where(by_kernel, _to_levels(x), x)  # Pillow keeps eight bits between its two passes
    x = tf.einsum("yh,xhc->yxc", rows, x)  # [size, size, 3]
    return tf.cast(_to_levels(x), tf.uint8)


def _to_levels(x: tf.Tensor) -> tf.Tensor:
    """The nearest grey levels, halves upward."""
    return tf.clip_by_value(tf.floor(x + 0.5), 0.0, 255.0)


def _weights(length: tf.Tensor, side: tf.Tensor, size: int, kind: str) -> tf.Tensor:
    """float32 [size, length]: what each source pixel gives to each result pixel."""
    if kind == "area":
        return tf.cond(
            side >= size,
            lambda: _covered(length, side, size),
            lambda: _kernel_weights(length, side, size, "bicubic"),
        )
    return _kernel_weights(length, side, size, kind)


def _edges(length: tf.Tensor, side: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Left edges of the result's pixels in source coordinates, [size, 1]; and the ratio."""
    length, side = tf.cast(length, tf.float64), tf.cast(side, tf.float64)
    ratio = side / size
    return (length - side) / 2 + tf.range(size, dtype=tf.float64)[:, None] * ratio, ratio


def _covered(length: tf.Tensor, side: tf.Tensor, size: int) -> tf.Tensor:
    left, ratio = _edges(length, side, size)
    pixel = tf.range(tf.cast(length, tf.float64), dtype=tf.float64)[None]
    overlap = tf.minimum(left + ratio, pixel + 1) - tf.maximum(left, pixel)
    return tf.cast(tf.maximum(overlap, 0.0) / ratio, tf.float32)


def _kernel_weights(length: tf.Tensor, side: tf.Tensor, size: int, kind: str) -> tf.Tensor:
    support, kernel = KERNELS[kind]
    left, ratio = _edges(length, side, size)
    stretch = tf.maximum(ratio, 1.0)
    pixel = tf.range(tf.cast(length, tf.float64), dtype=tf.float64)[None]
    distance = tf.abs(pixel + 0.5 - left - ratio / 2) / stretch
    weights = tf.where(distance < support, kernel(distance), 0.0)
    return tf.cast(weights / tf.reduce_sum(weights, axis=1, keepdims=True), tf.float32)
