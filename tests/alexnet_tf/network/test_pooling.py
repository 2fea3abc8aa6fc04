"""Max pooling that shares its gradient among ties: by hand, by reference, and where none are."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet_tf.config import files as config_files
from alexnet_tf.errors import ConfigError
from alexnet_tf.network import model as network_model
from alexnet_tf.network.pooling import AllTiesMaxPooling2D, max_pool_all_ties
from alexnet_tf.step_context import using
from tests.alexnet_tf.network.reference_pairs import Pair, masks_of, worst
from tests.alexnet_tf.network.test_against_reference import TOLERANCE, logits_and_gradients
from tests.reference import layers as reference
from tests.reference import network as reference_network


def pooled(x, g, size, stride, fused=False):
    """Maxima, and the gradient of Σ g·y."""

    def both(x, g):
        with using(fused=fused), tf.GradientTape() as tape:
            tape.watch(x)
            y = max_pool_all_ties(x, size, stride)
            return y, tape.gradient(y, x, g)

    x = tf.constant(x)
    function = tf.function(both, autograph=False) if fused else both
    return [value.numpy() for value in function(x, tf.constant(g, x.dtype))]


def test_by_hand():
    """A constant map: a pixel gets as many gradients as there are windows that hold it."""
    y, dx = pooled(np.full((1, 5, 5, 1), 7.0), np.ones((1, 2, 2, 1)), 3, 2)
    np.testing.assert_array_equal(y, np.full((1, 2, 2, 1), 7.0))
    np.testing.assert_array_equal(dx[0, :, :, 0], np.outer([1, 1, 2, 1, 1], [1, 1, 2, 1, 1]))
    # Of 4 pixels, the second window hangs over by one: it holds two of them.
    _, dx = pooled(np.zeros((1, 4, 4, 1)), np.array([1.0, 2, 4, 8]).reshape(1, 2, 2, 1), 3, 2)
    np.testing.assert_array_equal(
        dx[0, :, :, 0], [[1, 1, 3, 2], [1, 1, 3, 2], [5, 5, 15, 10], [4, 4, 12, 8]]
    )


def test_two_of_four_by_hand():
    x = np.array([[3.0, 1], [2, 3]]).reshape(1, 2, 2, 1)
    _, dx = pooled(x, np.full((1, 1, 1, 1), 5.0), 2, 2)
    np.testing.assert_array_equal(dx[0, :, :, 0], [[5, 0], [0, 5]])


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(5, 9),
    width=st.integers(5, 9),
    window=st.sampled_from([(1, 1), (2, 1), (2, 2), (3, 2), (3, 1), (3, 3), (4, 3), (5, 2)]),
    levels=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_against_the_reference(height, width, window, levels, seed):
    """Whole numbers of few levels: full of ties, and sums are exact."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-levels, levels, (2, height, width, 3)).astype(np.float64)
    expected = reference.max_pool(x, *window)
    g = rng.integers(-9, 10, expected.shape).astype(np.float64)
    y, dx = pooled(x, g, *window)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(dx, reference.max_pool_backward(g, x, *window, "all"))


@pytest.mark.parametrize("side", [1, 2])
def test_a_window_larger_than_the_map_holds_it_all(side):
    y, dx = pooled(np.zeros((1, side, side, 1)), np.ones((1, 1, 1, 1)), 3, 2)
    assert y.shape == (1, 1, 1, 1)
    np.testing.assert_array_equal(dx, np.ones((1, side, side, 1)))


def test_compiled_it_is_the_same():
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 2, (2, 8, 8, 3)).astype(np.float32)
    g = rng.integers(-9, 10, (2, 4, 4, 3)).astype(np.float32)
    for compiled, plain in zip(pooled(x, g, 3, 2, fused=True), pooled(x, g, 3, 2), strict=True):
        np.testing.assert_array_equal(compiled, plain)


@pytest.mark.parametrize("side", [13, 14])
def test_without_ties_it_is_tensorflows(side):
    rng = np.random.default_rng(0)
    x = rng.permutation(2 * side * side * 5).reshape(2, side, side, 5).astype(np.float32)
    y = tf.nn.max_pool2d(x, 3, 2, "SAME" if side % 2 == 0 else "VALID")
    g = rng.integers(-9, 10, y.shape).astype(np.float32)
    with tf.GradientTape() as tape:
        variable = tf.Variable(x)
        layer = keras.layers.MaxPooling2D(3, 2, padding="same" if side % 2 == 0 else "valid")
        loss = tf.reduce_sum(layer(variable) * g)
    ours = pooled(x, g, 3, 2)
    np.testing.assert_array_equal(ours[0], y)
    np.testing.assert_array_equal(ours[1], tape.gradient(loss, variable))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_in_half_precision(dtype):
    x = tf.cast(np.arange(50) % 7, dtype)
    y, dx = pooled(tf.reshape(x, [1, 5, 10, 1]), np.ones((1, 2, 5, 1)), 3, 2)
    expected = np.reshape(np.arange(50) % 7, (1, 5, 10, 1))
    assert y.dtype == dx.dtype == tf.as_dtype(dtype).as_numpy_dtype
    g = np.ones(y.shape)
    np.testing.assert_array_equal(
        dx.astype(np.float32), reference.max_pool_backward(g, expected, 3, 2, "all")
    )


def test_a_network_whose_pool_has_ties():
    """Net 145, whose first pool stands before its ReLU, on images that are constant in parts.

    In float64: in float32 a convolution's rounding differs from place to place, and breaks ties.
    """
    precision = "float64"
    options = {"width": 1 / 12, "num_classes": 5, "input_size": 99, "batch": 2}
    pairs = {
        ties: Pair("original", precision=precision, pool={"ties": ties}, **options)
        for ties in ("first", "all")
    }
    gradients = {}
    for ties, pair in pairs.items():
        pair.images[:, :60, :60] = 20.0
        masks = masks_of(pair, (7, 3))
        _, loss, gradients[ties] = logits_and_gradients(pair, (7, 3), precision)
        expected_loss, expected = reference_network.loss_and_gradients(
            pair.net, pair.weights, pair.images, pair.labels, masks
        )
        assert loss == pytest.approx(expected_loss, rel=TOLERANCE[precision])
        error, name = worst(gradients[ties], expected)
        assert error < TOLERANCE[precision], name
    change, _ = worst(gradients["all"], gradients["first"])
    assert change > 0.01


def test_a_layer_may_have_a_pool_of_its_own():
    """Its kind, size, stride and ties; the others have the network's."""
    own = {"kind": "max", "size": 2, "stride": 2, "ties": "all"}
    tree = {"width": 0.05, "layers": {"conv2": {"pool": own}}, "pool": {"kind": "average"}}
    model = network_model.build(config_files.parse({"network": tree}).network)
    pools = [model.get_layer(f"{layer}_pool_a") for layer in ("conv1", "conv2", "conv5")]
    assert [type(pool).__name__ for pool in pools] == [
        "TowerAveragePooling2D",
        "TowerAllTiesMaxPooling2D",
        "TowerAveragePooling2D",
    ]
    assert (pools[1].size, pools[1].stride) == (2, 2)
    for wrong, message in (
        ({"conv3": {"pool": own}}, "conv3.pool: expected null, as the layer has no pool"),
        ({"conv2": {"pool": {"kind": "average", "ties": "all"}}}, "expected ties of maxima alone"),
    ):
        with pytest.raises(ConfigError, match=message):
            config_files.parse({"network": {"layers": wrong}})


def test_the_layer_keeps_its_settings_and_says_its_shape():
    layer = AllTiesMaxPooling2D(2, 2, name="pool")
    assert AllTiesMaxPooling2D.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer.compute_output_shape((None, 13, 12, 5)) == (None, 7, 6, 5)
    assert layer(tf.zeros([1, 13, 12, 5])).shape == (1, 7, 6, 5)
    with pytest.raises(ValueError, match="expected size ≥ stride"):
        AllTiesMaxPooling2D(2, 3)
