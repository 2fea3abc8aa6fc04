"""Augmentation, counted and measured on what the reader and the transform really give out."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import ColorNoise, DataConfig
from alexnet_tf.data import reader
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.data.draws import draws
from alexnet_tf.data.split import Share, Split
from alexnet_tf.data.views import views
from alexnet_tf.errors import ConfigError
from preprocessing.dataset.info import ColorStatistics
from preprocessing.dataset.mean_image import read_mean_image
from tests import tiny_datasets
from tests.reference import augment as reference

SIZE, CROP = 40, 8  # 33 offsets a side, as of 224 in 256
PER_BATCH, BATCHES = 1089, 40


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    path = tmp_path_factory.mktemp("images")
    info = tiny_datasets.write(path, counts={"train": 990}, size=SIZE)
    return Split(path, info, "train")


def batches(split, config, count, size=PER_BATCH, seed=3):
    stream = reader.training_batches(split, config, CROP, Share(size), seed)
    return list(itertools.islice(stream.as_numpy_iterator(), count))


@pytest.fixture(scope="module")
def drawn(split):
    """43,560 examples with a draw of their own each."""
    found = batches(split, DataConfig(), BATCHES)
    return {
        key: np.concatenate([batch[key] for batch in found]) for key in ("offset", "flip", "noise")
    }


def test_every_one_of_33_by_33_positions_is_equally_likely(drawn):
    """χ² of 1,089 places at 40 draws each: 1,088 ± 46.6; five standard deviations are allowed."""
    offset = drawn["offset"]
    assert (offset.min(), offset.max()) == (0, 32)
    counts = np.bincount(offset[:, 0] * 33 + offset[:, 1], minlength=33 * 33)
    assert counts.min() > 0
    chi_squared = ((counts - BATCHES) ** 2 / BATCHES).sum()
    assert abs(chi_squared - 1088) < 5 * (2 * 1088) ** 0.5


def test_flips_are_even_and_independent_of_the_place(drawn):
    flip, offset = drawn["flip"].astype(float), drawn["offset"]
    assert abs(flip.mean() - 0.5) < 5 * 0.5 / len(flip) ** 0.5
    for place in (offset[:, 0], offset[:, 1]):
        assert abs(np.corrcoef(flip, place)[0, 1]) < 5 / len(flip) ** 0.5
    assert abs(np.corrcoef(offset.T)[0, 1]) < 5 / len(flip) ** 0.5


def test_noise_is_standard_normal_and_an_images_own(drawn):
    noise = drawn["noise"].astype(np.float64)
    error = 5 / len(noise) ** 0.5
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=error)
    np.testing.assert_allclose(np.cov(noise.T), np.eye(3), atol=2**0.5 * error)
    assert abs((noise**4).mean() - 3) < 5 * (96 / noise.size) ** 0.5  # a Gaussian's kurtosis
    assert len(np.unique(noise[:, 0])) > 0.99 * len(noise)


def test_32_by_32_positions_as_the_paper_counts_them(split):
    found = batches(split, DataConfig(crop_positions=32), 20)
    offset = np.concatenate([batch["offset"] for batch in found])
    assert (offset.min(), offset.max()) == (0, 31)
    counts = np.bincount(offset[:, 0] * 32 + offset[:, 1], minlength=32 * 32)
    assert counts.min() > 0


def test_one_position_is_the_one_that_is_evaluated(split):
    """Else a network without augmentation would be tested on what it was not trained on."""
    offset = batches(split, DataConfig(crop_positions=1), 1)[0]["offset"]
    [center] = views(SIZE, CROP, 1)
    assert (offset == (center.y, center.x)).all()


@pytest.mark.parametrize("margin", range(5))
@pytest.mark.parametrize("positions", range(1, 6))
def test_fewer_positions_are_the_middle_ones(margin, positions):
    """As many are left out before as behind, or one more behind."""
    positions = min(positions, margin + 1)
    settings, places = DataConfig(crop_positions=positions), tf.range(200, dtype=tf.int64)
    drawn = draws(settings, margin, seed=0, epoch=tf.constant(0), places=places)
    low, high = int(tf.reduce_min(drawn["offset"])), int(tf.reduce_max(drawn["offset"]))
    assert high - low == positions - 1
    assert margin - high - low in (0, 1)


def test_more_positions_than_there_are_is_refused(split):
    with pytest.raises(ConfigError, match=r"crop_positions: expected at most 33, .* received 34"):
        batches(split, DataConfig(crop_positions=34), 1)


def test_chunks_of_32_share_crop_and_flip_but_not_noise(split):
    """2012: four crops to a batch of 128."""
    (batch, other) = batches(split, DataConfig(chunk=32), 2, size=128)
    crops = np.column_stack([batch["offset"], batch["flip"]])
    assert len(np.unique(crops, axis=0)) == 4
    for start in range(0, 128, 32):
        chunk = slice(start, start + 32)
        assert len(np.unique(crops[chunk], axis=0)) == 1
        assert len(np.unique(batch["noise"][chunk, 0])) == 32
    assert (crops[:4] != np.column_stack([other["offset"], other["flip"]])[:4]).any()


def test_without_flips_none_is_drawn(split):
    (batch,) = batches(split, DataConfig(flip=False), 1)
    assert not batch["flip"].any()


def transform_of(split, **config):
    mean_image = read_mean_image(split.directory)
    return InputTransform(mean_image, split.info.color, DataConfig(**config), CROP)


@pytest.mark.parametrize("divide", [False, True])
def test_color_noise_on_real_batches(split, divide):
    """One color for a whole image; its covariance is V diag(s²) Vᵀ · 0.01, ÷ 1.21 if divided."""
    transform = transform_of(split, color_noise={"coefficient": 0.1, "divide": divide})
    added = []
    for batch in batches(split, transform.config, 10):
        plain = transform.training(batch, tf.constant(0.0)).numpy()
        noisy = transform.training(batch, tf.constant(0.1)).numpy()
        color = noisy - (plain / 1.1 if divide else plain)
        assert np.ptp(color, axis=(1, 2)).max() < 1e-3  # the same at every pixel
        added.append(color[:, 0, 0])
    added = np.concatenate(added).astype(np.float64)
    stddevs, vectors = map(np.asarray, (split.info.color.stddevs, split.info.color.eigenvectors))
    expected = 0.01 * vectors @ np.diag(stddevs**2) @ vectors.T / (1.21 if divide else 1.0)
    scale = np.diag(expected).max()
    # The standard error of a variance is √(2/n) of it.
    np.testing.assert_allclose(np.cov(added.T), expected, atol=5 * (2 / len(added)) ** 0.5 * scale)
    np.testing.assert_allclose(added.mean(axis=0), 0, atol=5 * (scale / len(added)) ** 0.5)
    # Its main direction has the standard deviation 0.1·s, not 0.1·s² (an eigenvalue).
    main = added @ vectors[:, 2] * (1.1 if divide else 1.0)
    assert main.std() == pytest.approx(0.1 * stddevs[2], rel=0.035)  # five standard errors


def test_division_ends_with_the_noise():
    """At coefficient 0, nothing is divided: from epoch 67 on, as in 2012."""
    statistics = ColorStatistics((0, 0, 0), (1, 2, 3), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    config = DataConfig(mean="none", color_noise=ColorNoise(divide=True))
    transform = InputTransform(np.zeros((CROP, CROP, 3)), statistics, config, CROP)
    batch = {
        "image": np.full((1, CROP, CROP, 3), 110, np.uint8),
        "offset": np.zeros((1, 2), np.int32),
        "flip": np.array([False]),
        "noise": np.array([[1.0, -1.0, 0.5]], np.float32),
    }
    on, off = (transform.training(batch, tf.constant(c))[0, 0, 0] for c in (0.1, 0.0))
    np.testing.assert_allclose(on, (110 + 0.1 * np.array([1, -2, 1.5])) / 1.1, rtol=1e-6)
    np.testing.assert_array_equal(off, [110, 110, 110])


@pytest.mark.parametrize("divide", [False, True])
@pytest.mark.parametrize("mean", ["center", "crop", "channel", "none"])
def test_every_example_against_the_reference(split, mean, divide):
    """Crop, mirror, mean and noise of each image of a batch, pixel by pixel."""
    transform = transform_of(split, mean=mean, color_noise={"divide": divide})
    (batch,) = batches(split, transform.config, 1, size=66)
    assert 10 < batch["flip"].sum() < 56
    result = transform.training(batch, tf.constant(0.1)).numpy()
    color, mean_image = split.info.color, read_mean_image(split.directory)
    for number, crop in enumerate(batch["image"]):
        top, left = batch["offset"][number]
        image = np.zeros((SIZE, SIZE, 3))
        image[top : top + CROP, left : left + CROP] = crop
        flipped = bool(batch["flip"][number])
        expected = reference.view(image, mean_image, top, left, flipped, mean, CROP)
        noise = batch["noise"][number]
        expected = reference.color_noise(
            expected, noise, color.stddevs, color.eigenvectors, 0.1, divide
        )
        np.testing.assert_allclose(result[number], expected, rtol=1e-5, atol=1e-3)


def test_a_channel_mean_of_ones_own():
    """As imported weights bring it."""
    color = ColorStatistics((1, 2, 3), (1, 1, 1), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    given = DataConfig(mean="channel", mean_rgb=(10.0, 20.0, 30.0))
    for config, expected in ((DataConfig(mean="channel"), [1, 2, 3]), (given, [10, 20, 30])):
        transform = InputTransform(np.zeros((CROP, CROP, 3)), color, config, CROP)
        black = np.zeros((1, CROP, CROP, 3), np.uint8)
        x = transform.centered(black, tf.zeros([1, 2], tf.int32), tf.constant([False]))
        np.testing.assert_array_equal(-x[0, 0, 0], expected)
    with pytest.raises(ConfigError, match="mean_rgb: expected mean: channel beside it"):
        config_files.parse({"data": {"mean_rgb": [1, 2, 3]}})


def test_the_2012_statistics_give_12_grey_levels_along_the_main_component():
    """c·s = 0.1 · 121.78 (cuda-convnet2's published statistics); 0.1 · s² would be 1,483."""
    vectors = ((0.4180, -0.8170, 0.3973), (-0.7126, -0.0235, 0.7012), (-0.5635, -0.5762, -0.5920))
    columns = tuple(zip(*vectors, strict=True))
    color = ColorStatistics((0, 0, 0), (19.721, 37.094, 121.780), columns)
    transform = InputTransform(np.zeros((CROP, CROP, 3)), color, DataConfig(mean="none"), CROP)
    batch = {
        "image": np.zeros((1, CROP, CROP, 3), np.uint8),
        "offset": np.zeros((1, 2), np.int32),
        "flip": np.array([False]),
        "noise": np.array([[0.0, 0.0, 1.0]], np.float32),
    }
    shift = transform.training(batch, tf.constant(0.1)).numpy()[0, 0, 0]
    assert np.linalg.norm(shift) == pytest.approx(12.178, rel=1e-3)
