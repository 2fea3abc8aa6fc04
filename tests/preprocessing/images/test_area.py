"""Shrinking by area against closed forms and against exact float64 overlaps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.images import area
from preprocessing.images.area import shrink_by_area
from tests.reference.resize import resize


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def exact(pixels: np.ndarray, left: float, top: float, side: float, size: int) -> np.ndarray:
    return resize(pixels, (size, size), "area", (left, top, left + side, top + side))


def test_whole_factors_average_blocks():
    pixels = noise(12, 12)
    blocks = pixels.reshape(4, 3, 4, 3, 3).mean(axis=(1, 3), dtype=np.float64)
    result = shrink_by_area(pixels, 0, 0, 12, 4)
    np.testing.assert_allclose(result, blocks, atol=0.5 + 0.1)


def test_three_pixels_to_two_by_hand():
    # Each result pixel covers one and a half source pixels: (2 a + b) / 3 and (b + 2 c) / 3.
    row = np.array([30, 60, 240], np.uint8)
    pixels = np.repeat(row[None, :, None], 3, axis=0)
    np.testing.assert_array_equal(shrink_by_area(pixels, 0, 0, 3, 2)[..., 0], [[40, 180]] * 2)


def test_half_pixel_offset_by_hand():
    # The square of side 2 at 0.5 covers half of the first and of the last of three pixels.
    pixels = np.zeros((2, 3, 1), np.uint8)
    pixels[:, :, 0] = [100, 200, 40]
    assert shrink_by_area(pixels, 0.5, 0, 2, 1) == (50 + 200 + 20) / 2


def test_same_size_is_identity():
    pixels = noise(9, 15)
    np.testing.assert_array_equal(shrink_by_area(pixels, 3, 0, 9, 9), pixels[:, 3:12])


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(375, 500, 256), (500, 375, 256), (300, 401, 256), (257, 256, 256), (1000, 700, 64)],
)
def test_photograph_sizes_equal_exact_overlaps(height, width, size):
    pixels = noise(height, width)
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    result = shrink_by_area(pixels, left, top, side, size)
    # 0.5 from the last rounding; 0.1 from weights of 12 binary digits and the rounding between.
    np.testing.assert_allclose(result, exact(pixels, left, top, side, size), atol=0.6)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), size=st.integers(1, 12), channels=st.sampled_from([1, 3]))
def test_any_square_equals_exact_overlaps(data, size, channels):
    height, width = data.draw(st.integers(size, 60)), data.draw(st.integers(size, 60))
    side = data.draw(st.floats(size, min(height, width)))
    left = data.draw(st.floats(0, width - side))
    top = data.draw(st.floats(0, height - side))
    pixels = noise(height, width, channels, seed=size)
    result = shrink_by_area(pixels, left, top, side, size)
    np.testing.assert_allclose(result, exact(pixels, left, top, side, size), atol=0.65)


def test_a_square_up_to_the_edge_may_be_rounded_beyond_it():
    """57 − 8.367633887170365 is rounded up, so that left + side is more than 57."""
    side = 8.367633887170365
    pixels = noise(9, 57)
    result = shrink_by_area(pixels, 57 - side, 0.0, side, 1)
    np.testing.assert_allclose(result, exact(pixels, 57 - side, 0.0, side, 1), atol=0.65)
    with pytest.raises(ValueError, match="inside"):
        shrink_by_area(pixels, 57 - side + 1e-6, 0.0, side, 1)


@given(value=st.integers(0, 255), side=st.integers(7, 80), size=st.integers(1, 7))
def test_constant_stays_constant(value, side, size):
    pixels = np.full((side, side, 3), value, np.uint8)
    assert (shrink_by_area(pixels, 0, 0, side, size) == value).all()


def test_large_images_in_blocks_give_the_same(monkeypatch):
    pixels = noise(301, 307)
    whole = shrink_by_area(pixels, 3, 0, 301, 50)
    monkeypatch.setattr(area, "_BLOCK_VALUES", 5_000)
    np.testing.assert_array_equal(shrink_by_area(pixels, 3, 0, 301, 50), whole)


def test_sums_are_exact_in_float32():
    """The result may not depend on how a processor orders or fuses its additions."""
    pixels = noise(375, 375)
    result = shrink_by_area(pixels, 0, 0, 375, 256)
    weights = area._weights(375, 0, 375, 256).toarray().astype(np.float64)
    half = np.einsum("iy,yxc->ixc", weights, pixels.astype(np.float64))
    np.testing.assert_array_equal(half.astype(np.float32), half)
    half = np.rint(half * 16)
    whole = np.einsum("jx,ixc->ijc", weights, half)
    np.testing.assert_array_equal(whole.astype(np.float32), whole)
    np.testing.assert_array_equal(result, np.floor(whole / 16 + 0.5))


@pytest.mark.parametrize(
    ("left", "top", "side", "size"), [(0, 0, 4, 5), (-1, 0, 8, 4), (0, 0, 11, 4), (3, 0, 8, 4)]
)
def test_square_outside_or_too_small_is_refused(left, top, side, size):
    with pytest.raises(ValueError, match="Expected a square"):
        shrink_by_area(noise(10, 10), left, top, side, size)
