"""Whether a batch of pixels is what the networks take, wherever pixels enter: before any answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from alexnet_tf.errors import ConfigError


def check_images(images: tf.Tensor | np.ndarray, size: int) -> tf.Tensor:
    """The images as a tensor, uint8 [n, size, size, 3]; n may be 0.

    Within a tf.function what is not known yet is checked where it runs (InvalidArgumentError).

    Raises:
        ConfigError: another dtype, rank, side or number of channels; it names both.
    """
    try:
        images = tf.convert_to_tensor(images)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"images: expected one array, received {type(images).__name__}"
        ) from error
    wanted = f"uint8 [n, {size}, {size}, 3] (RGB, grey levels 0…255)"
    shape = images.shape
    if images.dtype != tf.uint8 or not shape.is_compatible_with([None, size, size, 3]):
        received = f"{images.dtype.name} {'[?]' if shape.rank is None else shape.as_list()}"
        raise ConfigError(f"images: expected {wanted}, received {received}{_hint(images, size)}")
    return images if shape[1:].is_fully_defined() else check_in_graph(images, size)


def check_in_graph(images: tf.Tensor, size: int) -> tf.Tensor:
    """The same within a graph, for shapes that are only said to be known.

    A SavedModel's signature declares a shape, which its callers can pass by.
    Raises InvalidArgumentError where it runs.
    """
    shape = tf.shape(images)
    # Five entries of a shape of any rank, beside those of [n, size, size, 3].
    entries = tf.concat([shape, [-1] * 5], axis=0)[:5]
    right = tf.reduce_all(tf.equal(entries, tf.concat([entries[:1], [size, size, 3, -1]], axis=0)))
    message = f"expected images of shape [n, {size}, {size}, 3], received"
    with tf.control_dependencies([tf.debugging.Assert(right, [message, shape], summarize=8)]):
        return tf.identity(images)


def of_any_count(function: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor) -> tf.Tensor:
    """function(images), also of no images: TensorFlow's convolution gives those another shape."""
    count = tf.shape(images)[0]
    missing = tf.cast(tf.equal(count, 0), tf.int32)
    blank = tf.zeros(tf.concat([[missing], tf.shape(images)[1:]], axis=0), images.dtype)
    return function(tf.concat([images, blank], axis=0))[:count]


def _hint(images: tf.Tensor, size: int) -> str:
    if images.dtype == tf.uint8 and images.shape.as_list() == [size, size, 3]:
        return "; one image: images[None]"
    return ""
