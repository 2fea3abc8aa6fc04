"""Pixel statistics against closed forms and against direct float64 computation."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.images import statistics as module
from preprocessing.images.statistics import PixelStatistics


def images(count: int, size: int = 16, seed: int = 0) -> np.ndarray:
    """uint8 [count, size, size, 3] whose channels are correlated, as a photograph's are."""
    generator = np.random.default_rng(seed)
    values = generator.normal(0, 1, (count, size, size, 3)) * (40, 12, 5)
    mixing = np.array([[0.6, 0.6, 0.5], [-0.7, 0.1, 0.7], [0.4, -0.8, 0.4]])
    return np.clip(120 + values @ mixing, 0, 255).astype(np.uint8)


def of(batch: np.ndarray) -> PixelStatistics:
    statistics = PixelStatistics(batch.shape[1])
    for pixels in batch:
        statistics.add(pixels)
    return statistics


def test_two_pixels_by_hand():
    # Pixels (0, 0, 0) and (200, 100, 0): variance 100^2 + 50^2 along (2, 1, 0) / sqrt(5).
    batch = np.array([[[[0, 0, 0]]], [[[200, 100, 0]]]], np.uint8)
    color = of(batch).color()
    assert color.mean_rgb == (100, 50, 0)
    np.testing.assert_allclose(color.stddevs, (0, 0, np.hypot(100, 50)), atol=1e-6)
    main = np.array(color.eigenvectors)[:, 2]
    np.testing.assert_allclose(main, np.array([2, 1, 0]) / np.sqrt(5), atol=1e-12)
    np.testing.assert_array_equal(of(batch).mean_image(), [[[100, 50, 0]]])


def test_independent_channels_give_the_axes_in_ascending_order():
    # Every combination of (r, g, b) once: no correlation, variances 60^2, 20^2, 90^2.
    grid = np.array(np.meshgrid([40, 160], [80, 120], [10, 190])).T.reshape(-1, 1, 1, 3)
    color = of(grid.astype(np.uint8)).color()
    np.testing.assert_allclose(color.stddevs, (20, 60, 90), rtol=1e-12)
    np.testing.assert_allclose(color.eigenvectors, np.eye(3)[:, [1, 0, 2]], atol=1e-12)


@pytest.mark.parametrize("value", [0, 255])
def test_constant_images_have_no_deviation(value):
    color = of(np.full((3, 8, 8, 3), value, np.uint8)).color()
    assert color.mean_rgb == (value,) * 3
    assert color.stddevs == (0, 0, 0)


def test_equals_direct_float64_computation():
    batch = images(40)
    statistics = of(batch)
    np.testing.assert_allclose(
        statistics.mean_image(), batch.astype(np.float64).mean(axis=0), rtol=1e-12
    )
    color = statistics.color()
    flat = batch.reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(color.mean_rgb, flat.mean(axis=0), rtol=1e-12)
    covariance = np.cov(flat.T, bias=True)
    np.testing.assert_allclose(color.stddevs, np.sqrt(np.linalg.eigvalsh(covariance)), rtol=1e-9)
    vectors = np.array(color.eigenvectors)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-12)
    rebuilt = vectors @ np.diag(np.square(color.stddevs)) @ vectors.T
    np.testing.assert_allclose(rebuilt, covariance, rtol=1e-9)


def test_nearly_constant_images_lose_no_digits():
    """sum(x^2) - sum(x)^2 / n in floating point would keep few or none here."""
    batch = np.full((50, 32, 32, 3), 250, np.uint8)
    batch[17, 3, 5] = (251, 250, 249)
    n = batch.size / 3
    color = of(batch).color()
    # One pixel differs by (1, 0, -1): variance (1/n - 1/n^2) |(1, 0, -1)|^2.
    np.testing.assert_allclose(color.stddevs[2], np.sqrt(2 * (1 / n - 1 / n**2)), rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(shards=st.lists(st.integers(0, 11), max_size=4), seed=st.integers(0, 99))
def test_any_sharding_gives_the_same_bits(shards, seed):
    batch = images(12, 5, seed)
    merged = PixelStatistics(5)
    for part in np.split(batch, sorted(shards)):
        merged.merge(PixelStatistics.from_bytes(of(part).to_bytes()))
    whole = of(batch)
    assert merged.color() == whole.color()
    np.testing.assert_array_equal(merged.mean_image(), whole.mean_image())
    assert merged.to_bytes() == whole.to_bytes()


def test_partial_sums_never_leave_their_exact_range(monkeypatch):
    assert module._MOST_VALUES * 255 < 2**16
    assert module._MOST_PRODUCTS * 255**2 <= 2**24
    monkeypatch.setattr(module, "_MOST_VALUES", 3)
    batch = images(10, 4)
    statistics = PixelStatistics(4)
    for pixels in batch:
        statistics.add(pixels)
        assert statistics._recent_sum.max() <= 3 * 255
    np.testing.assert_allclose(statistics.mean_image(), batch.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 257, 258, 259, 600])
def test_white_and_noisy_images_of_any_size(size):
    """White gives the largest sums; beyond 258 rows they are taken in parts."""
    white = np.full((size, size, 3), 255, np.uint8)
    noise = np.random.default_rng(size).integers(0, 256, (size, size, 3), np.uint8)
    batch = np.stack([white, noise, white, white])
    color = of(batch).color()
    flat = batch.reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(color.mean_rgb, flat.mean(axis=0), rtol=1e-12)
    covariance = np.cov(flat.T, bias=True)
    vectors = np.array(color.eigenvectors)
    rebuilt = vectors @ np.diag(np.square(color.stddevs)) @ vectors.T
    np.testing.assert_allclose(rebuilt, covariance, rtol=1e-9)


def test_sums_far_beyond_float64_integers_stay_exact():
    """As many images as ImageNet-21k twice over, by merging a sum with itself."""
    batch = images(3, 4)
    statistics = of(batch)
    once = statistics.color()
    for _ in range(23):
        statistics.merge(PixelStatistics.from_bytes(statistics.to_bytes()))
    assert statistics.count == 3 << 23
    assert statistics.color() == once


def test_signs_are_fixed():
    """The rule holds, and images that hardly differ get the same signs."""
    batch = images(20)
    vectors = np.array(of(batch).color().eigenvectors)
    for axis in vectors.T:
        assert axis[np.abs(axis) >= np.abs(axis).max() / 2][0] > 0
    batch[0, 0, 0] ^= 1
    np.testing.assert_allclose(np.array(of(batch).color().eigenvectors), vectors, atol=1e-3)


def test_no_images_have_no_statistics():
    for method in (PixelStatistics(4).mean_image, PixelStatistics(4).color):
        with pytest.raises(ValueError, match="at least one image"):
            method()


@pytest.mark.parametrize("shape", [(4, 4), (4, 5, 3), (4, 4, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"Expected uint8 \[4, 4, 3\]"):
        PixelStatistics(4).add(np.zeros(shape, np.uint8))


def test_other_dtypes_and_sizes_are_refused():
    with pytest.raises(ValueError, match="Received: float32"):
        PixelStatistics(4).add(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(ValueError, match="size 4"):
        PixelStatistics(4).merge(PixelStatistics(5))


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


SUMS = np.zeros((4, 4, 3), np.int64)
PRODUCTS = np.zeros((3, 3), np.int64)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"something else",
        of(images(2, 4)).to_bytes()[:-100],
        npz(count=np.int64(1)),
        npz(count=np.int64(1), pixel_sum=SUMS[:3], color_products=PRODUCTS),
        npz(count=np.int64(1), pixel_sum=SUMS.astype(np.float32), color_products=PRODUCTS),
        npz(count=np.int64(1), pixel_sum=np.array([object()]), color_products=PRODUCTS),
    ],
)
def test_damaged_bytes_are_refused(data):
    with pytest.raises(ValueError, match="Expected saved pixel statistics"):
        PixelStatistics.from_bytes(data)


def test_white_images_beyond_the_capacity_of_partial_sums():
    white = np.full((2, 2, 3), 255, np.uint8)
    statistics = PixelStatistics(2)
    for _ in range(module._MOST_VALUES + 5):
        statistics.add(white)
    np.testing.assert_array_equal(statistics.mean_image(), white)
    assert statistics.color().mean_rgb == (255, 255, 255)
    assert statistics.color().stddevs == (0, 0, 0)
