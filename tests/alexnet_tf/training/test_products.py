"""The product's gradient in oneDNN's fast form, where a CPU computes it, and TensorFlow's own."""

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.training.products import fast_gradients

CPU = "/job:localhost/replica:0/task:0/device:CPU:0"
GPU = "/job:localhost/replica:0/task:0/device:GPU:0"


@pytest.mark.parametrize(
    ("devices", "batched"), [([CPU], True), ([CPU, CPU[:-1] + "1"], True), ([GPU], False)]
)
def test_only_cpus_get_the_batch_product(devices, batched):
    """Both give ∂L/∂x = g·Wᵀ and ∂L/∂W = xᵀ·g."""
    rng = np.random.default_rng(0)
    x, w, g = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 4), (4, 5), (3, 5)))
    with tf.Graph().as_default() as graph:
        inputs = [tf.constant(x), tf.constant(w)]
        with fast_gradients(devices):
            product = tf.matmul(*inputs)
        gradients = tf.gradients(product, inputs, tf.constant(g))
        assert ("BatchMatMulV2" in {op.type for op in graph.get_operations()}) == batched
        with tf.compat.v1.Session() as session:
            by_x, by_w = session.run(gradients)
    np.testing.assert_allclose(by_x, g @ w.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(by_w, x.T @ g, rtol=1e-5, atol=1e-6)
