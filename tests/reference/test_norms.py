"""The reference normalizations: hand-computed values, loops, complex steps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import norms
from tests.reference.complex_step import gradient


def test_lrn_by_hand_at_the_edges_of_the_channels():
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).reshape(1, 1, 1, 6)
    sums = np.array([1 + 4 + 9, 30, 55, 90, 16 + 9 + 25 + 36, 16 + 25 + 36])
    expected = x[0, 0, 0] / (2 + 0.5 * sums) ** 0.75
    np.testing.assert_allclose(norms.lrn(x, 5, 0.5, 2.0, 0.75)[0, 0, 0], expected, rtol=1e-15)


def test_lrn_of_nothing_scales_by_k_alone():
    y = norms.lrn(np.full((1, 1, 1, 1), 1e-9), 5, 1e-4, 2.0, 0.75)
    assert y[0, 0, 0, 0] == pytest.approx(1e-9 * 2**-0.75, rel=1e-12)
    assert norms.lrn(np.zeros((1, 2, 2, 7))).max() == 0


def test_lrn_with_beta_one_half_and_no_k_is_a_unit_vector():
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 5))
    y = norms.lrn(x, 11, 1.0, 0.0, 0.5)  # the window covers all maps
    np.testing.assert_allclose((y**2).sum(axis=-1), 1.0, rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(channels=st.integers(1, 9), size=st.integers(1, 8), seed=st.integers(0, 99))
def test_lrn_against_loops_and_complex_steps(channels, size, seed):
    rng = np.random.default_rng(seed)
    x, g = rng.normal(size=(2, 1, 1, 2, channels))
    y = norms.lrn(x, size, 0.3, 2.0, 0.75)
    for i in range(channels):
        window = x[0, 0, :, max(0, i - size // 2) : max(0, i - size // 2 + size)]
        if i - size // 2 < 0:
            window = x[0, 0, :, : max(0, i - size // 2 + size)]
        expected = x[0, 0, :, i] / (2.0 + 0.3 * (window**2).sum(axis=-1)) ** 0.75
        np.testing.assert_allclose(y[0, 0, :, i], expected, rtol=1e-13)
    dx = norms.lrn_backward(g, x, size, 0.3, 2.0, 0.75)
    numeric = gradient(lambda v: (norms.lrn(v, size, 0.3, 2.0, 0.75) * g).sum(), x)
    np.testing.assert_allclose(dx, numeric, rtol=1e-12, atol=1e-13)


def test_spatial_norm_by_hand():
    y = norms.spatial_norm(np.ones((1, 4, 6, 1)), 5, 0.5, 1.0, 0.75)[0, :, :, 0]
    # On 4 rows a window of 5 holds 3 or 4 of them; on 6 columns 3, 4 or 5.
    count = np.outer([3, 4, 4, 3], [3, 4, 5, 5, 4, 3])
    np.testing.assert_allclose(y, (1 + 0.5 * count) ** -0.75, rtol=1e-15)


def test_spatial_norm_keeps_maps_apart():
    x = np.random.default_rng(0).normal(size=(1, 6, 6, 3))
    alone = np.concatenate([norms.spatial_norm(x[..., c : c + 1], 5, 0.4) for c in range(3)], -1)
    np.testing.assert_array_equal(norms.spatial_norm(x, 5, 0.4), alone)


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    size=st.integers(1, 6),
    seed=st.integers(0, 9),
)
def test_spatial_norm_against_loops_and_complex_steps(height, width, size, seed):
    rng = np.random.default_rng(seed)
    x, g = rng.normal(size=(2, 1, height, width, 2))
    y = norms.spatial_norm(x, size, 0.3, 1.0, 0.75)
    for i, j in np.ndindex(height, width):
        rows = [r for r in range(height) if i - size // 2 <= r < i - size // 2 + size]
        cols = [c for c in range(width) if j - size // 2 <= c < j - size // 2 + size]
        total = (x[0][np.ix_(rows, cols)] ** 2).sum(axis=(0, 1))
        np.testing.assert_allclose(y[0, i, j], x[0, i, j] / (1 + 0.3 * total) ** 0.75, rtol=1e-13)
    dx = norms.spatial_norm_backward(g, x, size, 0.3, 1.0, 0.75)
    numeric = gradient(lambda v: (norms.spatial_norm(v, size, 0.3, 1.0, 0.75) * g).sum(), x)
    np.testing.assert_allclose(dx, numeric, rtol=1e-12, atol=1e-13)


def test_the_two_readings_of_alpha():
    """The paper's 1e-4 multiplies the sum; the 2012 code divides it by n first."""
    x = np.full((1, 1, 1, 5), 100.0)
    assert norms.lrn(x, 5, 1e-4, 2.0)[0, 0, 0, 2] == pytest.approx(100 * 7.0**-0.75, rel=1e-12)
    assert norms.lrn(x, 5, 1e-4 / 5, 2.0)[0, 0, 0, 2] == pytest.approx(100 * 3**-0.75, rel=1e-12)
