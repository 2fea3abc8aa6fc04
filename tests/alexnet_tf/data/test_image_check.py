"""Pixels of another kind than a network takes are told, never silently taken for it."""

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.data.image_check import check_images, check_in_graph
from alexnet_tf.errors import ConfigError

WRONG = {
    "grey levels as fractions": np.zeros((2, 8, 8, 3), np.float32),
    "another integer type": np.zeros((2, 8, 8, 3), np.int64),
    "larger": np.zeros((2, 9, 9, 3), np.uint8),
    "smaller": np.zeros((2, 7, 7, 3), np.uint8),
    "one side": np.zeros((2, 8, 7, 3), np.uint8),
    "grey": np.zeros((2, 8, 8, 1), np.uint8),
    "opacity": np.zeros((2, 8, 8, 4), np.uint8),
    "channels first": np.zeros((2, 3, 8, 8), np.uint8),
    "no batch": np.zeros((8, 8, 3), np.uint8),
    "too many dimensions": np.zeros((1, 2, 8, 8, 3), np.uint8),
    "a number": np.uint8(3),
}


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_right_images_pass_as_they_are(count):
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)
    np.testing.assert_array_equal(check_images(images, 8), images)
    np.testing.assert_array_equal(tf.function(check_in_graph)(images, 8), images)


@pytest.mark.parametrize("kind", WRONG)
def test_everything_else_is_one_line_with_both_sides(kind):
    images = WRONG[kind]
    with pytest.raises(ConfigError) as raised:
        check_images(images, 8)
    line = str(raised.value)
    assert "\n" not in line
    assert "expected uint8 [n, 8, 8, 3]" in line
    assert f"received {images.dtype} {list(images.shape)}" in line
    assert ("images[None]" in line) == (kind == "no batch")


def test_what_is_no_array_is_told():
    with pytest.raises(ConfigError, match="expected one array, received list"):
        check_images([[1, 2], [3]], 8)


@pytest.mark.parametrize("kind", [k for k, images in WRONG.items() if images.dtype == np.uint8])
def test_what_a_graph_does_not_know_is_checked_where_it_runs(kind):
    images = WRONG[kind]
    spec = [tf.TensorSpec(None, tf.uint8)]
    function = tf.function(lambda x: check_images(x, 8), input_signature=spec)
    shape = r"received\] \[" + " ".join(map(str, images.shape))
    with pytest.raises(tf.errors.InvalidArgumentError, match=shape):
        function(images)
