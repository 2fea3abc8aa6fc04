"""In TensorFlow: an image file's bytes as the dataset's conversion makes them pixels."""

from __future__ import annotations

import tensorflow as tf

from alexnet_tf.serving.decode import decode_image
from alexnet_tf.serving.orientation import orientation, upright
from alexnet_tf.serving.resize import central_square
from preprocessing.dataset.info import DatasetInfo


def converted(encoded: tf.Tensor, info: DatasetInfo) -> tf.Tensor:
    """uint8 [N, N, 3], RGB, of a file's bytes (a string scalar): decoded, its central square
    resampled as the dataset's were, and turned upright where they were.

    Raises InvalidArgumentError where it runs, as `decode_image`.
    """
    pixels = central_square(decode_image(encoded), info.image_size, info.resize_filter)
    if info.options.get("apply_exif", False):
        pixels = upright(pixels, orientation(encoded))
    return pixels
