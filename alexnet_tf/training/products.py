"""The gradient of a fully connected layer's product, in the order that processors do fastest.

For y = x·W TensorFlow computes ∂L/∂x as g·Wᵀ, which on CPUs reads the large W against its order:
oneDNN takes twice as long for it as for x·W. (W·gᵀ)ᵀ is the same number at the speed of the others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

_NAME = "AlexNetMatMul"


@contextlib.contextmanager
def fast_gradients() -> Iterator[None]:
    """Within it, while a graph is traced, products x·W get this gradient."""
    with tf.compat.v1.get_default_graph().gradient_override_map({"MatMul": _NAME}):
        yield


@tf.RegisterGradient(_NAME)
def _gradient(op: tf.Operation, g: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    if op.get_attr("transpose_a") or op.get_attr("transpose_b"):
        raise NotImplementedError(f"expected a product of no transposed matrices, received {op}")
    x, w = op.inputs
    return tf.transpose(tf.matmul(w, g, transpose_b=True)), tf.matmul(x, g, transpose_a=True)
