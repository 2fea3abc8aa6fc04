"""A convolution whose kernel and bias are others at every place (cuda-convnet's local layers)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf import step_context
from alexnet_tf.compat import register
from alexnet_tf.network.layers import Shape


@register
class LocallyConnected2D(keras.layers.Layer):
    """y[n, r, c] = bias[r, c] + window(n, r, c) · kernel[r, c], where a convolution has one kernel.

    Keras 3 has no such layer. All places are one batch of matrix products, which take most of its
    time (python -m alexnet_tf.benchmark local).

    Args:
        units: maps.
        size, stride: of the square windows.
        pad: zeros before (top, left) and after (bottom, right).

    Weights: kernel [rows, columns, size·size·maps in, units], a window row by row, maps last; bias
    [rows, columns, units]. Call: x [N, H, W, maps], H and W known; [N, rows, columns, units].
    """

    def __init__(
        self,
        units: int,
        size: int,
        stride: int = 1,
        pad: tuple[int, int] = (0, 0),
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if min(units, size, stride) < 1 or min(pad) < 0:
            raise ValueError(
                f"expected units, size and stride of at least 1, pad of at least 0. Received:"
                f" units={units}, size={size}, stride={stride}, pad={pad}"
            )
        self.units, self.size, self.stride, self.pad = units, size, stride, tuple(pad)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, input_shape: Shape) -> None:
        _, rows, columns, _ = self.compute_output_shape(input_shape)
        inputs = self.size**2 * input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(rows, columns, inputs, self.units),
            initializer=self.kernel_initializer,
        )
        self.bias = self.add_weight(
            name="bias", shape=(rows, columns, self.units), initializer=self.bias_initializer
        )
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        _, height, width, maps = x.shape
        _, rows, columns, _ = self.compute_output_shape(x.shape)
        places, inputs, batch = rows * columns, self.size**2 * maps, tf.shape(x)[0]
        # The examples last: what a place has is one block, copied whole into the windows over it.
        blocks = tf.reshape(_turned(x, height * width * maps), [height * width, maps * batch])
        windows = _taken(blocks, self._places(height, width))
        kernel = tf.reshape(self.kernel, [places, inputs, self.units])
        windows = tf.reshape(windows, [places, inputs, batch])
        y = tf.matmul(kernel, windows, transpose_a=True)  # [places, units, N]
        y = tf.transpose(tf.reshape(y, [places * self.units, batch]))
        return tf.reshape(y, [-1, rows, columns, self.units]) + tf.convert_to_tensor(self.bias)

    def _places(self, height: int, width: int) -> np.ndarray:
        """int32 [places, size²]: what of a map of height·width each window covers, row by row.

        height·width stands for the padding.
        """
        before, after = self.pad
        numbers = np.arange(height * width, dtype=np.int32).reshape(height, width)
        numbers = np.pad(numbers, (before, after), constant_values=height * width)
        shape = (self.size, self.size)
        windows = np.lib.stride_tricks.sliding_window_view(numbers, shape)
        windows = windows[:: self.stride, :: self.stride]
        return windows.reshape(-1, self.size**2)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sides, _ = input_shape
        rows, columns = ((n + sum(self.pad) - self.size) // self.stride + 1 for n in sides)
        return (batch, rows, columns, self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "size": self.size,
            "stride": self.stride,
            "pad": self.pad,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }


def _turned(x: tf.Tensor, values: int) -> tf.Tensor:
    """[values, N] of N examples of so many values."""
    return tf.transpose(tf.reshape(x, [-1, values]))


def _taken(blocks: tf.Tensor, numbers: np.ndarray) -> tf.Tensor:
    """The rows of `blocks`, [n, values], that `numbers` name, and zeros where they name row n.

    TensorFlow's gradient of a gather adds rows up a third as fast as SparseSegmentSum, which XLA
    does not know; within a step that is compiled in parts alone, it can be had.
    """
    count, numbers = blocks.shape[0], numbers.reshape(-1)
    order = np.argsort(numbers, kind="stable").astype(np.int32)[: (numbers < count).sum()]
    fast = step_context.current().fused

    @tf.custom_gradient
    def take(rows: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(g: tf.Tensor) -> tf.Tensor:
            if fast:
                return tf.sparse.segment_sum(g, order, numbers[order], num_segments=count)
            return tf.math.unsorted_segment_sum(g, numbers, count + 1)[:count]

        outside = tf.zeros([1, tf.shape(rows)[1]], rows.dtype)
        return tf.gather(tf.concat([rows, outside], axis=0), numbers), gradient

    return take(blocks)
