"""The views at test time: exact offsets, mirrors, and probabilities that are averaged."""

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.config.schema import DataConfig
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.data.views import View, mean_probabilities, view_input, views
from preprocessing.dataset.info import ColorStatistics
from tests.reference import augment as reference
from tests.reference.layers import softmax

COLOR = ColorStatistics((90.0, 100.0, 110.0), (1, 2, 3), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))


def test_ten_views_of_224_in_256():
    """Corners, center and their mirrors at the offsets of the 2012 code, in its order."""
    places = [(0, 0), (0, 32), (16, 16), (32, 0), (32, 32)]
    expected = [View(y, x, mirrored) for mirrored in (False, True) for y, x in places]
    assert list(views(256, 224, 10)) == expected
    assert views(256, 224, 1) == (View(16, 16, False),)


def test_nine_views_of_24_in_32():
    """Offsets 0, 4 and 8 both ways, none mirrored."""
    places = [(0, 0), (0, 4), (0, 8), (4, 0), (4, 4), (4, 8), (8, 0), (8, 4), (8, 8)]
    assert list(views(32, 24, 9)) == [View(y, x, False) for y, x in places]


@pytest.mark.parametrize(("size", "crop"), [(256, 224), (256, 227), (144, 128), (9, 4), (8, 8)])
def test_offsets_agree_with_the_reference(size, crop):
    ten = views(size, crop, 10)
    assert [(view.y, view.x) for view in ten[:5]] == reference.ten_offsets(size, crop)
    assert [(view.y, view.x) for view in ten[5:]] == reference.ten_offsets(size, crop)
    assert [view.mirrored for view in ten] == [False] * 5 + [True] * 5


def test_another_number_is_refused():
    with pytest.raises(ValueError, match="expected 1, 9 or 10 views, received 5"):
        views(256, 224, 5)


@pytest.mark.parametrize("mean", ["center", "crop", "channel", "none"])
def test_the_network_sees_the_references_ten_views(mean):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1, 9, 9, 3), dtype=np.uint8)
    mean_image = rng.uniform(0, 255, (9, 9, 3)).astype(np.float32)
    channels = tuple(mean_image.mean(axis=(0, 1), dtype=np.float64))
    color = ColorStatistics(channels, COLOR.stddevs, COLOR.eigenvectors)
    transform = InputTransform(mean_image, color, DataConfig(mean=mean), 4)
    expected = reference.ten_views(image[0], mean_image, mean, 4)
    for view, wanted in zip(views(9, 4, 10), expected, strict=True):
        seen = view_input(transform, tf.constant(image), view)
        np.testing.assert_allclose(seen[0], wanted, atol=1e-4)


def test_probabilities_are_averaged_not_logits():
    """By a network whose logits are sums of pixels; averaging logits would give another answer."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (3, 9, 9, 3), dtype=np.uint8)
    kernel = rng.normal(0, 0.02, (4 * 4 * 3, 5))

    def model(x, training):
        assert training is False
        return tf.reshape(x, [len(x), -1]) @ tf.constant(kernel, tf.float32)

    mean_image = np.full((9, 9, 3), 100, np.float32)
    transform = InputTransform(mean_image, COLOR, DataConfig(), 4)
    found = mean_probabilities(model, transform, tf.constant(images), views(9, 4, 10))
    logits = np.stack(
        [reference.ten_views(p, mean_image, size=4).reshape(10, -1) @ kernel for p in images]
    )
    np.testing.assert_allclose(found, softmax(logits).mean(axis=1), rtol=1e-4)
    assert np.abs(softmax(logits.mean(axis=1)) - found.numpy()).max() > 0.01
    np.testing.assert_allclose(tf.reduce_sum(found, axis=1), 1, rtol=1e-5)


def test_a_crop_cut_already_is_taken_as_it_is():
    image = np.random.default_rng(2).integers(0, 256, (1, 9, 9, 3), dtype=np.uint8)
    transform = InputTransform(np.full((9, 9, 3), 7, np.float32), COLOR, DataConfig(), 4)
    (center,) = views(9, 4, 1)
    whole = view_input(transform, tf.constant(image), center)
    cut = view_input(transform, tf.constant(image[:, 2:6, 2:6]), center)
    np.testing.assert_array_equal(whole, cut)
