"""Resampling in TensorFlow against the conversion's own code and the float64 reference."""

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from alexnet_tf.serving.resize import central_square
from preprocessing.images.convert import FILTERS, ImageOptions, decode_and_resize


@pytest.fixture(scope="module")
def resized():
    """(pixels, size, kind) → pixels, each combination of size and kind traced once."""
    traced = {}

    def call(image, size, kind):
        if (size, kind) not in traced:
            spec = [tf.TensorSpec([None, None, 3], tf.uint8)]
            function = lambda x: central_square(x, size, kind)  # noqa: E731
            traced[size, kind] = tf.function(function, input_signature=spec)
        return traced[size, kind](image).numpy()

    return call


def converted(image: np.ndarray, size: int, kind: str) -> np.ndarray:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return decode_and_resize(content.getvalue(), ImageOptions(size=size, filter=kind))


def test_means_of_four_pixels_by_hand(resized):
    image = np.zeros((4, 6, 3), np.uint8)  # the central square leaves out a column on each side
    image[:2, 1:3] = [[[10], [20]], [[30], [43]]]
    assert resized(image, 2, "area")[0, 0, 0] == 26  # 25.75
    assert resized(image, 2, "area")[1, 1, 0] == 0


@settings(deadline=None, max_examples=60)
@example(86, 20, "bilinear", 0)  # one pixel is: weights of twelfths, so that halves are common
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from(sorted(FILTERS)),
    st.integers(0, 99),
)
def test_as_the_conversion_resamples(resized, height, width, kind, seed):
    """Rounding at a half may fall either way, in either pass: no pixel is off by more than that.

    Of two pixels that the first pass rounds otherwise, the second makes less than 1.5 levels (the
    weights' magnitudes add up to 1, or 1.4 where some are negative), and rounds them once more.
    """
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    received, expected = resized(image, 24, kind).astype(int), converted(image, 24, kind)
    assert np.abs(received - expected).max() <= 2


@pytest.mark.parametrize("kind", sorted(FILTERS))
@pytest.mark.parametrize("shape", [(100, 133), (375, 251), (17, 60)])
def test_nearly_all_pixels_are_the_very_same(shape, kind, resized):
    """The others lie within float32's or Pillow's fixed point's rounding of a half."""
    image = np.random.default_rng(2).integers(0, 256, (*shape, 3), np.uint8)
    assert (resized(image, 24, kind) != converted(image, 24, kind)).mean() <= 0.02


@pytest.mark.parametrize("kind", sorted(FILTERS))
def test_a_square_of_the_right_size_is_untouched(kind, resized):
    image = np.random.default_rng(1).integers(0, 256, (24, 24, 3), np.uint8)
    np.testing.assert_array_equal(resized(image, 24, kind), image)
