"""The reference views, colors and errors: exact places and hand-computed values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import augment


def coordinates(length: int = 256) -> np.ndarray:
    """An image whose pixel (y, x) is (y, x, 0)."""
    y, x = np.mgrid[:length, :length]
    return np.stack([y, x, np.zeros_like(x)], axis=-1).astype(np.float64)


def test_variants_of_a_training_image():
    assert len(augment.positions()) ** 2 * 2 == 2178  # the 2012 code
    assert len(augment.positions(as_in_paper=True)) ** 2 * 2 == 2048  # the paper
    assert augment.positions()[-1] == 32
    assert augment.crop(coordinates(), 32, 32).shape == (224, 224, 3)


def test_crop_and_flip_by_coordinates():
    image = augment.flip(augment.crop(coordinates(), 5, 9))
    np.testing.assert_array_equal(image[0, 0], [5, 9 + 223, 0])
    np.testing.assert_array_equal(image[223, 223], [228, 9, 0])


def test_chunks_share_their_draw():
    drawn = augment.in_chunks(np.arange(4), 100, 32)
    np.testing.assert_array_equal(drawn, [0] * 32 + [1] * 32 + [2] * 32 + [3] * 4)


def test_the_three_means():
    mean = coordinates()
    image = mean + 7.0
    # The mean at the crop: all that is left is the constant, whatever the crop and the flip.
    for flipped in (False, True):
        np.testing.assert_array_equal(augment.view(image, mean, 3, 30, flipped, "crop"), 7.0)
    # The mean image's center: off by the crop's distance from the center.
    left = augment.view(image, mean, 3, 30, False, "center")
    np.testing.assert_array_equal(left, np.broadcast_to([7 + 3 - 16, 7 + 30 - 16, 7], left.shape))
    # Mirrored, the image turns and the mean does not.
    turned = augment.view(image, mean, 16, 16, True, "center")
    np.testing.assert_array_equal(turned[0, [0, 223], 1], [7 + 223, 7 - 223])
    channel = augment.view(image, mean, 0, 0, False, "channel")
    np.testing.assert_array_equal(channel[0, 0], [7 - 127.5, 7 - 127.5, 7])


def test_color_noise_by_hand():
    vectors = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])  # columns: green, red, minus blue
    args = (np.array([1.0, 2, 3]), np.array([10.0, 20, 30]), vectors)
    image = np.array([[[1.0, 2, 3], [4, 5, 6]]])
    expected = image + np.array([4.0, 1.0, -9.0])
    np.testing.assert_allclose(augment.color_noise(image, *args, divide=False), expected)
    np.testing.assert_allclose(augment.color_noise(image, *args), expected / 1.1, rtol=1e-15)
    np.testing.assert_array_equal(augment.color_noise(image, *args, scale=0.0), image)


def test_color_noise_has_the_covariance_of_the_pixels_times_the_square_of_its_scale():
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(1000, 3)) @ rng.normal(0, 20, (3, 3))
    covariance = np.cov(pixels.T)
    values, vectors = np.linalg.eigh(covariance)
    black = np.zeros((1, 1, 3))
    colors = [
        augment.color_noise(black, n, np.sqrt(values), vectors, divide=False)[0, 0]
        for n in np.sqrt(3) * np.concatenate([np.eye(3), -np.eye(3)])  # unit covariance
    ]
    second_moment = np.transpose(colors) @ colors / len(colors)
    np.testing.assert_allclose(second_moment, 0.01 * covariance, rtol=1e-10)


def test_ten_views_are_at_their_exact_offsets():
    assert augment.ten_offsets() == [(0, 0), (0, 32), (16, 16), (32, 0), (32, 32)]
    views = augment.ten_views(coordinates(), np.zeros((256, 256, 3)))
    assert views.shape == (10, 224, 224, 3)
    np.testing.assert_array_equal(
        views[:5, 0, 0, :2], [[0, 0], [0, 32], [16, 16], [32, 0], [32, 32]]
    )
    np.testing.assert_array_equal(views[5:], views[:5, :, ::-1])


def test_top_k_error_by_hand():
    p = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
    assert augment.top_k_error(p, np.array([3, 3]), 1) == 0.5
    assert augment.top_k_error(p, np.array([2, 2]), 2) == 0.5
    assert augment.top_k_error(p, np.array([0, 3]), 4) == 0.0


@pytest.mark.parametrize(
    ("scores", "label", "k", "credit"),
    [
        ([1, 1, 1, 1], 2, 1, 1 / 4),
        ([1, 1, 1, 1], 2, 3, 3 / 4),
        ([5, 1, 1, 0], 1, 2, 1 / 2),  # one place left for two
        ([5, 1, 1, 0], 1, 3, 1),
        ([5, 1, 1, 0], 1, 1, 0),
        ([5, 5, 1, 0], 2, 2, 0),  # no place left
    ],
)
def test_ties_share_credit(scores, label, k, credit):
    error = augment.top_k_error(np.array([scores], float), np.array([label]), k)
    assert error == pytest.approx(1 - credit, abs=1e-15)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=8), st.integers(1, 8))
def test_credits_of_all_labels_add_up_to_k(scores, k):
    k = min(k, len(scores))
    p = np.tile(np.array(scores, float), (len(scores), 1))
    error = augment.top_k_error(p, np.arange(len(scores)), k)
    assert (1 - error) * len(scores) == pytest.approx(k, rel=1e-12)
