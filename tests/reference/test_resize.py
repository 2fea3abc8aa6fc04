"""The reference resampling: exact cases, and Pillow in floating point."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.reference import resize

PILLOW = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.float64)


@pytest.mark.parametrize("name", [*PILLOW, "area"])
def test_same_size_is_the_identity(name):
    image = noise(7, 9)
    np.testing.assert_allclose(resize.resize(image, (7, 9), name), image, atol=1e-12)


@pytest.mark.parametrize("name", [*PILLOW, "area"])
@pytest.mark.parametrize("size", [(3, 20), (40, 5)])
def test_a_constant_stays_constant_up_to_its_edges(name, size):
    image = np.full((11, 13, 3), 77.0)
    np.testing.assert_allclose(resize.resize(image, size, name), 77.0, rtol=1e-13)


@pytest.mark.parametrize("name", ["area", "box"])
def test_a_whole_factor_is_the_mean_of_blocks(name):
    image = noise(12, 8)
    blocks = image.reshape(4, 3, 2, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resize.resize(image, (4, 2), name), blocks, rtol=1e-13)


def test_three_to_two_by_hand():
    """Each result pixel covers half of the middle one, whose center lies in one box alone."""
    np.testing.assert_allclose(
        resize.weight_matrix(3, 0, 3, 2, "area"), np.array([[2, 1, 0], [0, 1, 2]]) / 3, rtol=1e-14
    )
    np.testing.assert_array_equal(
        sorted(np.count_nonzero(resize.weight_matrix(3, 0, 3, 2, "box"), axis=1)), [1, 2]
    )


@settings(max_examples=30, deadline=None)
@given(start=st.floats(0, 5), side=st.floats(0.5, 15), out=st.integers(1, 9))
def test_area_keeps_the_mean_of_what_is_covered(start, side, out):
    """All outputs together cover each source pixel as far as the kept part reaches."""
    covered = resize.weight_matrix(20, start, start + side, out, "area").sum(0) * side / out
    pixels = np.arange(20)
    expected = np.clip(start + side - pixels, 0, 1) - np.clip(start - pixels, 0, 1)
    np.testing.assert_allclose(covered, expected, atol=1e-12)


def test_bilinear_halving_weighs_as_a_widened_triangle():
    row = resize.weight_matrix(8, 0, 8, 4, "bilinear")[1]
    np.testing.assert_allclose(row, np.array([0, 1, 3, 3, 1, 0, 0, 0]) / 8, rtol=1e-14)


def test_bilinear_and_bicubic_doubling_by_hand():
    row = resize.weight_matrix(8, 0, 8, 16, "bilinear")[
        7
    ]  # 3.75: between pixels 3 and 4 (3.5, 4.5)
    np.testing.assert_allclose(row[2:6], [0, 0.75, 0.25, 0], rtol=1e-14)
    row = resize.weight_matrix(8, 0, 8, 16, "bicubic")[7]
    # Keys' cubic at 1.25, 0.25, 0.75, 1.75: -9, 111, 29, -3 of 128.
    np.testing.assert_allclose(row[2:6], np.array([-9, 111, 29, -3]) / 128, rtol=1e-13)


@pytest.mark.parametrize("name", PILLOW)
@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(2, 40),
    width=st.integers(2, 40),
    size=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_central_square_equals_pillow_in_floating_point(name, height, width, size, seed):
    image = noise(height, width, seed)
    box = resize.central_square(height, width)
    ours = resize.resize_central_square(image, size, name)
    for channel in range(3):
        plane = Image.fromarray(image[..., channel].astype(np.float32))
        theirs = np.asarray(plane.resize((size, size), PILLOW[name], box=box))
        np.testing.assert_allclose(ours[..., channel], theirs, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(("height", "width", "size"), [(22, 23, 3), (27, 28, 15), (33, 34, 9)])
def test_pixels_on_the_very_edge_of_a_box_fall_as_in_pillow(height, width, size):
    """Here it hangs on the last bit whether a pixel center lies within the box."""
    image = noise(height, width)[..., 0].astype(np.float32)
    box = resize.central_square(height, width)
    theirs = Image.fromarray(image).resize((size, size), PILLOW["box"], box=box)
    ours = resize.resize_central_square(image[..., None], size, "box")[..., 0]
    np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-5)


@pytest.mark.parametrize("name", ["box", "bilinear"])
def test_pillow_in_eight_bits_lies_within_one_gray_level(name):
    """It rounds twice, by half a level each; these filters' weights are not negative."""
    image = noise(120, 163)
    bytewise = Image.fromarray(image.astype(np.uint8))
    box = resize.central_square(120, 163)
    theirs = np.asarray(bytewise.resize((48, 48), PILLOW[name], box=box), np.float64)
    assert np.abs(resize.resize_central_square(image, 48, name) - theirs).max() <= 1.001


def test_central_square():
    assert resize.central_square(375, 500) == (62.5, 0, 437.5, 375)
    assert resize.central_square(500, 375) == (0, 62.5, 375, 437.5)
    assert resize.central_square(8, 8) == (0, 0, 8, 8)


def test_central_square_keeps_the_middle():
    image = np.zeros((2, 6, 1))
    image[:, 2:4] = [[[1.0], [2.0]], [[3.0], [4.0]]]
    kept = resize.resize_central_square(image, 2, "area")
    np.testing.assert_array_equal(kept[..., 0], [[1, 2], [3, 4]])
