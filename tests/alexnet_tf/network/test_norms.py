"""Local response normalization and net 145's spatial norm: by hand, by reference, by property."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet_tf.network.layers import (
    LocalResponseNormalization,
    SpatialResponseNormalization,
    local_response_normalization,
    spatial_response_normalization,
)
from tests.reference import norms
from tests.reference.complex_step import gradient as gradient_by_complex_steps

PAPER = {"size": 5, "coefficient": 1e-4, "k": 2.0, "beta": 0.75}
STRONG = {"size": 5, "coefficient": 0.3, "k": 1.5, "beta": 0.75}  # where the sum matters


def reference(x, size, coefficient, k, beta):
    return norms.lrn(x, size, coefficient, k, beta)


def maps(*shape, scale=1.0, seed=0):
    return np.random.default_rng(seed).normal(0, scale, shape)


def with_gradient(function, x, g):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
        loss = tf.reduce_sum(tf.cast(y, tf.float64) * g)
    return y.numpy(), tape.gradient(loss, x).numpy()


def test_by_hand():
    """Maps 1, 2, 3 with a window of 3, k 1, a 1, β 1/2: divided by √6, √15, √14."""
    x = tf.constant([[1.0, 2.0, 3.0]])
    y = local_response_normalization(x, 3, 1.0, 1.0, 0.5)
    np.testing.assert_allclose(y, [[1 / 6**0.5, 2 / 15**0.5, 3 / 14**0.5]], rtol=1e-6)


def test_an_even_window_reaches_one_further_back():
    x = tf.constant([[1.0, 2.0, 3.0]])
    y = local_response_normalization(x, 2, 1.0, 1.0, 0.5)
    np.testing.assert_allclose(y, [[1 / 2**0.5, 2 / 6**0.5, 3 / 14**0.5]], rtol=1e-6)


def test_without_activity_k_2_still_scales():
    """2^−0.75 = 0.5946 for every LRN; Caffe's k of 1 leaves small values alone."""
    small = tf.constant([[1e-6, -1e-6, 0.0]], tf.float64)
    y = local_response_normalization(small, **PAPER)
    np.testing.assert_allclose(y / 1e-6, [[2**-0.75, -(2**-0.75), 0.0]], rtol=1e-9)
    y = local_response_normalization(small, 5, 2e-5, 1.0, 0.75)
    np.testing.assert_allclose(y, small, rtol=1e-9)


@pytest.mark.parametrize("size", range(1, 10))
@pytest.mark.parametrize("channels", [1, 3, 8, 48])
def test_values_and_gradients_in_float64(size, channels):
    """Odd and even windows, narrower and wider than there are maps, and at both ends."""
    x, g = maps(2, 3, 3, channels, scale=4), maps(2, 3, 3, channels, seed=1)
    y, dx = with_gradient(lambda v: local_response_normalization(v, size, 0.3, 1.5, 0.75), x, g)
    np.testing.assert_allclose(y, norms.lrn(x, size, 0.3, 1.5, 0.75), rtol=1e-12)
    expected = norms.lrn_backward(g, x, size, 0.3, 1.5, 0.75)
    np.testing.assert_allclose(dx, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("beta", [0.75, 0.5, 1.0, 0.0])
def test_gradient_against_complex_steps(beta):
    x, g = maps(2, 7, scale=2), maps(2, 7, seed=1)
    _, dx = with_gradient(lambda v: local_response_normalization(v, 5, 0.3, 1.5, beta), x, g)
    expected = gradient_by_complex_steps(lambda v: (g * norms.lrn(v, 5, 0.3, 1.5, beta)).sum(), x)
    np.testing.assert_allclose(dx, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("radius", [1, 2, 3])
@pytest.mark.parametrize("coefficient", [1e-4, 0.3])
def test_equals_tensorflows_own_for_odd_windows(radius, coefficient):
    x, g = maps(2, 4, 4, 16, scale=30).astype(np.float32), maps(2, 4, 4, 16, seed=1)
    ours = with_gradient(
        lambda v: local_response_normalization(v, 2 * radius + 1, coefficient, 2.0, 0.75), x, g
    )
    own = with_gradient(
        lambda v: tf.nn.local_response_normalization(v, radius, 2.0, coefficient, 0.75), x, g
    )
    np.testing.assert_allclose(ours[0], own[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours[1], own[1], rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 9),
    st.integers(1, 12),
    st.floats(1e-6, 1.0),
    st.floats(0.1, 4.0),
    st.floats(0.0, 1.5),
    st.integers(0, 2**32 - 1),
)
def test_any_settings_agree_with_the_reference(size, channels, coefficient, k, beta, seed):
    x = maps(3, channels, scale=5, seed=seed)
    y = local_response_normalization(tf.constant(x), size, coefficient, k, beta)
    np.testing.assert_allclose(y, norms.lrn(x, size, coefficient, k, beta), rtol=1e-11)


def test_zeros_have_a_gradient_and_huge_values_no_nan():
    """At zero, dy/dx = k^−β. Where x² leaves float32's range, the output is 0, its limit."""
    _, dx = with_gradient(
        lambda v: local_response_normalization(v, **PAPER), np.zeros((1, 6)), np.ones((1, 6))
    )
    np.testing.assert_allclose(dx, np.full((1, 6), 2**-0.75), rtol=1e-12)
    large = np.array([[1e15, -1e12, 3.0]], np.float32)
    y = local_response_normalization(tf.constant(large), **PAPER)
    np.testing.assert_allclose(y, reference(large, **PAPER), rtol=1e-5)
    beyond = np.array([[1e30, -3e38, 1.0, 0.0]], np.float32)
    y, dx = with_gradient(
        lambda v: local_response_normalization(v, **PAPER), beyond, np.ones((1, 4))
    )
    np.testing.assert_array_equal(y, np.zeros((1, 4)))
    np.testing.assert_array_equal(dx, np.zeros((1, 4)))


@pytest.mark.parametrize(
    ("dtype", "epsilon"), [("float16", 2.0**-11), ("bfloat16", 2.0**-8), ("float32", 2.0**-20)]
)
@pytest.mark.parametrize("settings", [PAPER, STRONG])
def test_half_precision_is_float32s_result_rounded_once(dtype, epsilon, settings):
    """x² would overflow float16 at 256, and 1e-4·x² be lost beside k in bfloat16."""
    x = tf.cast(maps(2, 5, 5, 12, scale=300), dtype)
    wide = tf.cast(x, tf.float64).numpy()
    y = local_response_normalization(x, **settings)
    assert y.dtype == x.dtype
    np.testing.assert_allclose(tf.cast(y, tf.float64), reference(wide, **settings), rtol=epsilon)
    g = np.float64(1.0)
    _, dx = with_gradient(lambda v: local_response_normalization(v, **settings), x, g)
    expected = norms.lrn_backward(
        np.ones_like(wide),
        wide,
        settings["size"],
        settings["coefficient"],
        settings["k"],
        settings["beta"],
    )
    # The difference of two terms: rounded in relation to the larger.
    scale = np.abs(expected).max()
    np.testing.assert_allclose(dx.astype(np.float64), expected, rtol=epsilon, atol=epsilon * scale)


def run_eagerly(function, x):
    return function(x)


def run_in_a_graph(function, x):
    return tf.function(function)(x)


def run_in_xla(function, x):
    return tf.function(function, jit_compile=True)(x)


def run_in_a_dataset(function, x):
    return next(iter(tf.data.Dataset.from_tensors(x).map(function)))


MODES = [run_eagerly, run_in_a_graph, run_in_xla, run_in_a_dataset]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_both_norms_in_every_mode(mode, dtype):
    """Values and gradients, wherever TensorFlow runs them."""
    x = tf.cast(maps(1, 4, 4, 8, scale=20), dtype)
    wide = tf.cast(x, tf.float64).numpy()
    close = 2.0**-7 if dtype == "bfloat16" else 1e-5
    cases = [
        (
            lambda v: local_response_normalization(v, **STRONG),
            reference(wide, **STRONG),
            norms.lrn_backward(np.ones_like(wide), wide, 5, 0.3, 1.5, 0.75),
        ),
        (
            lambda v: spatial_response_normalization(v, 3, 0.9, 1.5, 0.75),
            norms.spatial_norm(wide, 3, 0.1, 1.5, 0.75),
            norms.spatial_norm_backward(np.ones_like(wide), wide, 3, 0.1, 1.5, 0.75),
        ),
    ]
    for function, expected, expected_gradient in cases:

        def both(v, function=function):
            with tf.GradientTape() as tape:
                tape.watch(v)
                y = function(v)
            return y, tape.gradient(y, v)

        y, dx = mode(both, x)
        np.testing.assert_allclose(tf.cast(y, tf.float64), expected, rtol=close)
        scale = np.abs(expected_gradient).max()
        np.testing.assert_allclose(
            tf.cast(dx, tf.float64), expected_gradient, rtol=close, atol=close * scale
        )


def test_spatial_by_hand():
    """Of 2×2 ones with a window of 3, every window holds the same four: nothing renormalized."""
    y = spatial_response_normalization(tf.ones([1, 2, 2, 1]), 3, 9.0, 1.0, 0.5)
    np.testing.assert_allclose(y, np.full((1, 2, 2, 1), 5**-0.5), rtol=1e-6)
    # A corner of a 3×3 map of ones sees 4, an edge 6, the middle 9.
    y = spatial_response_normalization(tf.ones([1, 3, 3, 1]), 3, 9.0, 1.0, 0.5)
    expected = np.array([[4, 6, 4], [6, 9, 6], [4, 6, 4]]) + 1.0
    np.testing.assert_allclose(y[0, :, :, 0], expected**-0.5, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("side", [1, 3, 7])
def test_spatial_values_and_gradients_in_float64(size, side):
    """Windows odd and even, within a map and larger than it; alpha is divided by size²."""
    x, g = maps(2, side, side, 3, scale=4), maps(2, side, side, 3, seed=1)
    alpha = 0.3 * size**2
    y, dx = with_gradient(lambda v: spatial_response_normalization(v, size, alpha, 1.0, 0.75), x, g)
    np.testing.assert_allclose(y, norms.spatial_norm(x, size, 0.3, 1.0, 0.75), rtol=1e-12)
    expected = norms.spatial_norm_backward(g, x, size, 0.3, 1.0, 0.75)
    np.testing.assert_allclose(dx, expected, rtol=1e-9, atol=1e-12)


def test_alpha_over_n_divides_by_the_window():
    """Net 145's 1e-4 over 5 maps is 2e-5 of the sum; the paper's 1e-4 multiplies the sum."""
    x = maps(2, 3, 3, 16, scale=100).astype(np.float32)
    divided = LocalResponseNormalization(5, 1e-4, alpha_over_n=True)(x)
    plain = LocalResponseNormalization(5, 2e-5)(x)
    np.testing.assert_array_equal(divided, plain)
    np.testing.assert_allclose(plain, norms.lrn(x, 5, 2e-5, 2.0, 0.75), rtol=1e-5)
    undivided = LocalResponseNormalization(5, 1e-4)(x)
    assert np.abs(undivided.numpy() - plain.numpy()).max() > 1


LAYERS = [
    LocalResponseNormalization(3, 0.2, alpha_over_n=True, k=1.5, beta=0.6, name="norm"),
    SpatialResponseNormalization(3, 0.2, k=1.5, beta=0.6, name="norm"),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_layers_are_serializable(layer, tmp_path):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    x = maps(2, 4, 4, 6, scale=5).astype(np.float32)
    np.testing.assert_array_equal(again(x), layer(x))
    image = keras.Input((4, 4, 6))
    keras.Model(image, again(image)).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x), layer(x), rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("cls", [LocalResponseNormalization, SpatialResponseNormalization])
def test_layers_under_mixed_precision(cls, policy):
    x = maps(1, 4, 4, 6, scale=200).astype(np.float32)
    y = cls(dtype=keras.mixed_precision.Policy(policy))(x)
    assert y.dtype == policy.removeprefix("mixed_")
    np.testing.assert_allclose(tf.cast(y, tf.float32), cls()(x), rtol=2.0**-6)


@pytest.mark.parametrize("cls", [LocalResponseNormalization, SpatialResponseNormalization])
@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": 2.5}, {"alpha": -1.0}, {"k": 0.0}])
def test_layers_refuse_what_makes_no_sense(cls, wrong):
    (name, value), *_ = wrong.items()
    with pytest.raises(ValueError, match=f"expected .*{name}.* Received: .*{name}={value!r}"):
        cls(**wrong)
