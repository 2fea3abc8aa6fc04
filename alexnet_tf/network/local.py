"""A convolution whose kernel and bias are others at every place (cuda-convnet's local layers)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from alexnet_tf.compat import register
from alexnet_tf.network.layers import Shape


@register
class LocallyConnected2D(keras.layers.Layer):
    """y[n, r, c] = bias[r, c] + window(n, r, c) · kernel[r, c], where a convolution has one kernel.

    Keras 3 has no such layer. All places are one batch of matrix products.

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
        _, rows, columns, _ = self.compute_output_shape(x.shape)
        x = tf.pad(x, [[0, 0], self.pad, self.pad, [0, 0]])
        step, down, across = self.stride, rows * self.stride, columns * self.stride
        windows = tf.concat(
            [
                x[:, i : i + down : step, j : j + across : step]
                for i in range(self.size)
                for j in range(self.size)
            ],
            axis=-1,
        )
        places, inputs = rows * columns, windows.shape[-1]
        by_place = tf.transpose(tf.reshape(windows, [-1, places, inputs]), [1, 0, 2])
        y = tf.matmul(by_place, tf.reshape(self.kernel, [places, inputs, self.units]))
        y = tf.reshape(tf.transpose(y, [1, 0, 2]), [-1, rows, columns, self.units])
        return y + tf.convert_to_tensor(self.bias)

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
