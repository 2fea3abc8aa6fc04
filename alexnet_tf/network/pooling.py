"""Max pooling whose gradient goes to every pixel that equals its window's maximum, as in 2012."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from alexnet_tf.compat import register
from alexnet_tf.network.geometry import pool_size
from alexnet_tf.network.layers import Shape
from alexnet_tf.step_context import fusible


def max_pool_all_ties(x: tf.Tensor, size: int, stride: int) -> tf.Tensor:
    """The maximum of each window of x [N, H, W, C]; H and W known, size ≥ stride.

    Windows may hang over the bottom and right edges, where nothing counts. With y the maxima and
    g their gradient, dx_p = Σ g_w over the windows w that hold pixel p and whose maximum y_w is x_p
    (cuda-convnet's kLocalMaxUndo). TensorFlow's own gradient goes to the first such pixel alone:
    the two differ where a window has its maximum twice, as in parts of an image that are constant.
    """
    _, height, width, channels = x.shape
    rows, columns = (pool_size(side, size, stride) for side in (height, width))
    reach = -(-size // stride) - 1  # a window spans so many blocks of stride² besides its own
    down, across = rows + reach, columns + reach
    after = [[0, 0], [0, down * stride - height], [0, across * stride - width], [0, 0]]

    @fusible
    def gradient(x: tf.Tensor, y: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
        padded = tf.pad(x, after, constant_values=x.dtype.min)
        blocks = tf.reshape(padded, [-1, down, stride, across, stride, channels])
        parts = []
        for top in range(stride):  # pixels at one place in their block belong to the same windows
            parts.append([])
            for left in range(stride):
                pixels = blocks[:, :, top, :, left]
                shares = []
                for i in range(top, size, stride):
                    for j in range(left, size, stride):
                        a, b = i // stride, j // stride
                        here = pixels[:, a : a + rows, b : b + columns] == y
                        share = tf.where(here, g, tf.zeros_like(g))
                        around = [[0, 0], [a, reach - a], [b, reach - b], [0, 0]]
                        shares.append(tf.pad(share, around))
                parts[-1].append(tf.add_n(shares))
        whole = tf.stack([tf.stack(row, axis=3) for row in parts], axis=2)
        whole = tf.reshape(whole, [-1, down * stride, across * stride, channels])
        return whole[:, :height, :width]

    @tf.custom_gradient
    def pool(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        over = [(n - 1) * stride + size - side for n, side in ((rows, height), (columns, width))]
        whole = x
        if any(over):
            around = [[0, 0], [0, over[0]], [0, over[1]], [0, 0]]
            whole = tf.pad(x, around, constant_values=x.dtype.min)
        y = tf.nn.max_pool2d(whole, size, stride, "VALID")
        return y, lambda g: gradient(x, y, g)

    return pool(x)


@register
class AllTiesMaxPooling2D(keras.layers.Layer):
    """See `max_pool_all_ties`. Args: size ≥ stride ≥ 1. Call: x [N, H, W, C], H and W known."""

    def __init__(self, size: int = 3, stride: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        if not 1 <= stride <= size:
            raise ValueError(f"expected size ≥ stride ≥ 1. Received: size={size}, stride={stride}")
        self.size, self.stride = size, stride

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return max_pool_all_ties(x, self.size, self.stride)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sides, channels = input_shape
        return (batch, *(pool_size(side, self.size, self.stride) for side in sides), channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "stride": self.stride}
