"""The CIFAR-10 networks' own operations and facts: by hand and by complex steps."""

import numpy as np
import pytest

from tests.reference import cifar
from tests.reference.complex_step import gradient

PARAMETERS = {  # with 10 classes, at the side that each was meant for
    "cifar-80sec": 145_578,
    "cifar-19pct": 89_578,
    "cifar-18pct": 89_578,
    "cifar-13pct": 1_116_490,
    "cifar-11pct": 2_112_970,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name):
    shapes = cifar.weight_shapes(name)
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == PARAMETERS[name]


def test_average_pool_by_hand():
    """Of 4 pixels a second window hangs over: 6 pixels count at an edge, 4 in the corner."""
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    y = cifar.average_pool(x)[0, :, :, 0]
    np.testing.assert_allclose(y, [[5, 6.5], [11, 12.5]])
    ones = np.ones((1, 2, 2, 1))
    dx = cifar.average_pool_backward(ones, x)[0, :, :, 0]
    assert dx[0, 0] == pytest.approx(1 / 9)
    assert dx[3, 3] == pytest.approx(1 / 4)
    assert dx[2, 2] == pytest.approx(1 / 9 + 1 / 6 + 1 / 6 + 1 / 4)
    assert dx.sum() == pytest.approx(4)


@pytest.mark.parametrize("side", [3, 4, 5])
def test_average_pool_gradient(side):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, side, side, 2))
    g = rng.normal(size=cifar.average_pool(x).shape)
    expected = gradient(lambda v: (cifar.average_pool(v) * g).sum(), x)
    np.testing.assert_allclose(cifar.average_pool_backward(g, x), expected, atol=1e-14)


def test_local_with_equal_kernels_is_a_convolution():
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(2, 5, 5, 3)), rng.normal(size=(3, 3, 3, 4))
    same = np.tile(kernel.reshape(-1, 4), (5, 5, 1, 1))
    y = cifar.local2d(x, same, np.zeros((5, 5, 4)), 3, 1, 1)
    np.testing.assert_allclose(y, cifar.ops.conv2d(x, kernel, np.zeros(4), 1, 1), rtol=1e-12)


def test_local_gradients():
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(2, 4, 4, 2)), rng.normal(size=(4, 4, 18, 3))
    bias, g = rng.normal(size=(4, 4, 3)), rng.normal(size=(2, 4, 4, 3))

    def loss(x, kernel, bias):
        return (cifar.local2d(x, kernel, bias, 3, 1, 1) * g).sum()

    dx, dkernel, dbias = cifar.local2d_backward(g, x, kernel, 3, 1, 1)
    for found, expected in (
        (dx, gradient(lambda v: loss(v, kernel, bias), x)),
        (dkernel, gradient(lambda v: loss(x, v, bias), kernel)),
        (dbias, gradient(lambda v: loss(x, kernel, v), bias)),
    ):
        np.testing.assert_allclose(found, expected, atol=1e-13)
