"""The gradient of a fully connected layer's product, in the form that processors do fastest.

For y = x·W the gradient ∂L/∂x is g·Wᵀ. TensorFlow's MatMul has oneDNN compute it by a routine that
reads the large W against its order and takes twice as long as for x·W; as a batch of one product
the same number comes from another of oneDNN's routines, at the speed of the others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import tensorflow as tf

_NAME = "AlexNetMatMul"


@contextlib.contextmanager
def fast_gradients(devices: Sequence[str]) -> Iterator[None]:
    """Within it, while a graph is traced, products x·W get this gradient; on `devices` that are all
    CPUs, since it is oneDNN's routine that is slow.
    """
    if not all(tf.DeviceSpec.from_string(device).device_type == "CPU" for device in devices):
        yield
        return
    with tf.compat.v1.get_default_graph().gradient_override_map({"MatMul": _NAME}):
        yield


@tf.RegisterGradient(_NAME)
def _gradient(op: tf.Operation, g: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    if op.get_attr("transpose_a") or op.get_attr("transpose_b"):
        raise NotImplementedError(f"expected a product of no transposed matrices, received {op}")
    x, w = op.inputs
    by_input = tf.matmul(g[None], w[None], transpose_b=True)[0]
    return by_input, tf.matmul(x, g, transpose_a=True)
