"""The reference's own operations: closed forms, SciPy, complex steps."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal
from scipy.special import log_softmax

from tests.reference import layers
from tests.reference.complex_step import gradient


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def distinct(shape, seed: int = 0) -> np.ndarray:
    """Values 0.01 apart, none of them 0: no two share a maximum, and no ReLU is at its kink."""
    count = math.prod(shape)
    values = (rng(seed).permutation(count) - count / 2 + 0.25) * 0.01
    return values.reshape(shape)


def close(actual, expected, tolerance=1e-13):
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def test_conv2d_with_an_identity_kernel_shifts_and_adds_the_bias():
    x = rng().normal(size=(2, 5, 6, 3))
    kernel = np.zeros((3, 3, 3, 3))
    kernel[1, 1] = np.eye(3)
    bias = np.array([1.0, 2.0, 3.0])
    close(layers.conv2d(x, kernel, bias, padding=1), x + bias, 0)
    kernel = np.roll(kernel, 1, axis=0)  # now reads the row below
    below = np.concatenate([x[:, 1:], np.zeros((2, 1, 6, 3))], axis=1)
    close(layers.conv2d(x, kernel, bias, padding=1), below + bias, 0)


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("padding", [0, 2, ((0, 3), (0, 3)), ((1, 0), (0, 2))])
def test_conv2d_equals_scipy(stride, padding):
    x = rng(1).normal(size=(2, 13, 12, 3))
    kernel = rng(2).normal(size=(5, 3, 3, 4))
    bias = rng(3).normal(size=4)
    pairs = ((padding, padding),) * 2 if isinstance(padding, int) else padding
    padded = np.pad(x, ((0, 0), *pairs, (0, 0)))
    expected = np.stack(
        [
            np.stack(
                [
                    sum(
                        signal.correlate2d(image[..., c], kernel[..., c, o], mode="valid")
                        for c in range(3)
                    )[::stride, ::stride]
                    + bias[o]
                    for o in range(4)
                ],
                axis=-1,
            )
            for image in padded
        ]
    )
    close(layers.conv2d(x, kernel, bias, stride, padding), expected, 1e-12)


@pytest.mark.parametrize(("stride", "padding"), [(1, 2), (2, ((0, 3), (1, 0))), (4, 0)])
def test_conv2d_backward(stride, padding):
    x, kernel = rng(1).normal(size=(2, 8, 7, 2)), rng(2).normal(size=(5, 4, 2, 3))
    bias = rng(3).normal(size=3)
    g = rng(4).normal(size=layers.conv2d(x, kernel, bias, stride, padding).shape)
    dx, dkernel, dbias = layers.conv2d_backward(g, x, kernel, stride, padding)

    def loss(x=x, kernel=kernel, bias=bias):
        return (layers.conv2d(x, kernel, bias, stride, padding) * g).sum()

    close(dx, gradient(lambda v: loss(x=v), x))
    close(dkernel, gradient(lambda v: loss(kernel=v), kernel))
    close(dbias, gradient(lambda v: loss(bias=v), bias))


def test_conv1_windows_of_the_original_overhang_by_three_pixels():
    image = np.ones((1, 224, 224, 1))
    ones = np.ones((11, 11, 1, 1))
    y = layers.conv2d(image, ones, np.zeros(1), 4, ((0, 3), (0, 3)))[0, :, :, 0]
    assert y.shape == (55, 55)
    assert (y[0, 0], y[53, 53], y[54, 0], y[54, 54]) == (121, 121, 8 * 11, 64)


def test_max_pool_by_hand():
    x = np.arange(25.0).reshape(1, 5, 5, 1)
    close(layers.max_pool(x, 3, 2)[0, :, :, 0], [[12, 14], [22, 24]], 0)
    # 2/2 on 5: rounded up, the last windows hang over by one; negative values stay negative.
    close(layers.max_pool(x - 100, 2, 2)[0, :, :, 0] + 100, [[6, 8, 9], [16, 18, 19], [21, 23, 24]])


@pytest.mark.parametrize(
    ("length", "size", "stride", "out"),
    [(55, 3, 2, 27), (27, 3, 2, 13), (13, 3, 2, 6), (55, 2, 2, 28), (26, 2, 2, 13), (11, 2, 2, 6)],
)
def test_pool_sizes_of_nets_145_and_147(length, size, stride, out):
    assert layers.pool_output_size(length, size, stride) == out
    assert layers.max_pool(np.zeros((1, length, length, 1)), size, stride).shape == (1, out, out, 1)


def test_max_pool_gradient_of_ties_goes_to_the_first():
    dx = layers.max_pool_backward(np.ones((1, 1, 1, 1)), np.zeros((1, 3, 3, 1)), 3, 2)
    expected = np.zeros((3, 3))
    expected[0, 0] = 1
    close(dx[0, :, :, 0], expected, 0)


def test_max_pool_gradient_of_ties_may_go_to_all():
    """Of a constant map, each pixel gets as many gradients as there are windows that hold it."""
    dx = layers.max_pool_backward(np.ones((1, 2, 2, 1)), np.zeros((1, 5, 5, 1)), 3, 2, "all")
    held = np.array([1, 1, 2, 1, 1])
    close(dx[0, :, :, 0], np.outer(held, held), 0)


def test_overlapping_pool_gradients_add_up_where_windows_share_their_maximum():
    x = np.zeros((1, 5, 5, 1))
    x[0, 2, 2, 0] = 1.0  # in all four windows
    dx = layers.max_pool_backward(np.array([1.0, 2, 4, 8]).reshape(1, 2, 2, 1), x, 3, 2)
    expected = np.zeros((5, 5))
    expected[2, 2] = 15
    close(dx[0, :, :, 0], expected, 0)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 8),
    width=st.integers(1, 8),
    size=st.integers(1, 3),
    stride=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_max_pool_against_loops_and_complex_steps(height, width, size, stride, seed):
    stride = min(stride, size)
    size, stride = min(size, height, width), min(stride, height, width, size)
    x = distinct((1, height, width, 2), seed)
    y = layers.max_pool(x, size, stride)
    for i, j in np.ndindex(*y.shape[1:3]):
        top, left = i * stride, j * stride
        expected = x[0, top : top + size, left : left + size].max(axis=(0, 1))
        close(y[0, i, j], expected, 0)
    g = rng(seed).normal(size=y.shape)
    dx = layers.max_pool_backward(g, x, size, stride)
    close(dx, gradient(lambda v: (layers.max_pool(v, size, stride) * g).sum(), x))


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_activations_backward(name):
    f, backward = getattr(layers, name), getattr(layers, f"{name}_backward")
    x, g = distinct((3, 7)), rng(1).normal(size=(3, 7))
    close(backward(g, x), gradient(lambda v: (f(v) * g).sum(), x))


def test_relu_and_tanh_by_hand():
    close(layers.relu(np.array([-2.0, 0.0, 3.0])), [0, 0, 3], 0)
    close(layers.relu_backward(np.ones(3), np.array([-2.0, 0.0, 3.0])), [0, 0, 1], 0)
    close(layers.tanh(np.array([0.0, math.log(2)])), [0, 0.6], 1e-15)
    close(layers.tanh_backward(np.ones(2), np.array([0.0, math.log(2)])), [1, 0.64], 1e-15)


def test_dense_and_its_gradient():
    close(layers.dense(np.array([[1.0, 2]]), np.array([[1.0, 2], [3, 4]]), np.ones(2)), [[8, 11]])
    x, kernel, bias = (rng(i).normal(size=s) for i, s in enumerate([(3, 4), (4, 5), (5,)]))
    g = rng(9).normal(size=(3, 5))
    dx, dkernel, dbias = layers.dense_backward(g, x, kernel)
    close(dx, gradient(lambda v: (layers.dense(v, kernel, bias) * g).sum(), x))
    close(dkernel, gradient(lambda v: (layers.dense(x, v, bias) * g).sum(), kernel))
    close(dbias, gradient(lambda v: (layers.dense(x, kernel, v) * g).sum(), bias))


def test_the_two_forms_of_dropout_differ_by_a_factor_of_two():
    mask = np.array([1.0, 0.0])
    close(layers.dropout_factor("2012", mask), [1, 0], 0)
    close(layers.dropout_factor("inverted", mask), [2, 0], 0)
    assert layers.dropout_factor("2012", None) == 0.5
    assert layers.dropout_factor("inverted", None) == 1.0
    assert layers.dropout_factor("none", mask) == 1.0
    with pytest.raises(ValueError, match="form='other'"):
        layers.dropout_factor("other", mask)


def test_cross_entropy_by_hand_and_by_scipy():
    loss, g = layers.softmax_cross_entropy(np.zeros((1, 4)), np.array([2]))
    assert loss == pytest.approx(math.log(4), abs=1e-15)
    close(g, [[0.25, 0.25, -0.75, 0.25]], 1e-15)
    logits, labels = rng().normal(0, 50, (6, 5)), np.array([0, 4, 2, 2, 1, 3])
    loss, _ = layers.softmax_cross_entropy(logits, labels)
    assert loss == pytest.approx(-log_softmax(logits, axis=1)[range(6), labels].mean(), rel=1e-13)
    huge, _ = layers.softmax_cross_entropy(np.array([[1e4, -1e4]]), np.array([1]))
    assert huge == 2e4


@pytest.mark.parametrize("divisor", [None, 64])
def test_cross_entropy_gradient(divisor):
    logits, labels = rng().normal(size=(6, 5)), np.array([0, 4, 2, 2, 1, 3])
    _, g = layers.softmax_cross_entropy(logits, labels, divisor)
    close(g, gradient(lambda v: layers.softmax_cross_entropy(v, labels, divisor)[0], logits))


def test_softmax():
    p = layers.softmax(np.array([[0.0, math.log(3)], [1e4, -1e4]]))
    close(p, [[0.25, 0.75], [1, 0]], 1e-15)
