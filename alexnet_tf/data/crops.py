"""A record's bytes to the pixels of a crop, the very ones that Pillow decodes from the picture."""

from __future__ import annotations

import tensorflow as tf

from preprocessing.dataset import DatasetInfo

FEATURES = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/class/label": tf.io.FixedLenFeature([], tf.int64),
}


def decode_crop(record: tf.Tensor, info: DatasetInfo, offset, size: int) -> tuple:
    """(uint8 [size, size, 3], label, weight) of a record; zeros with weight 0 for a blank one.

    Args: record, the bytes of a `tf.train.Example`, or ""; offset, (y, x) of the crop's corner.
    """
    blank = (tf.zeros([size, size, 3], tf.uint8), tf.constant(0), tf.constant(0.0))
    return tf.cond(tf.equal(record, ""), lambda: blank, lambda: _decode(record, info, offset, size))


def _decode(record: tf.Tensor, info: DatasetInfo, offset, size: int) -> tuple:
    parsed = tf.io.parse_single_example(record, FEATURES)
    image = crop_of(parsed["image/encoded"], info, offset, size)
    return image, tf.cast(parsed["image/class/label"], tf.int32), tf.constant(1.0)


def crop_of(encoded: tf.Tensor, info: DatasetInfo, offset, size: int) -> tf.Tensor:
    """uint8 [size, size, 3] of a dataset's encoded picture."""
    crop = {"raw": _raw, "jpeg": _jpeg}[info.encoding]
    return crop(encoded, info.image_size, offset[0], offset[1], size)


def _raw(encoded: tf.Tensor, side: int, y, x, size: int) -> tf.Tensor:
    rows = tf.reshape(tf.io.decode_raw(encoded, tf.uint8), [side, 3 * side])
    return tf.reshape(tf.slice(rows, [y, 3 * x], [size, 3 * size]), [size, size, 3])


def _jpeg(encoded: tf.Tensor, side: int, y, x, size: int) -> tf.Tensor:
    """Decodes one column more on either side, from which the edges' colors are interpolated."""
    left = tf.maximum(x - 1, 0)
    window = [y, left, size, tf.minimum(x + size + 1, side) - left]
    # libjpeg's accurate transform is also Pillow's; TensorFlow's default is off by up to 21 levels.
    wide = tf.image.decode_and_crop_jpeg(encoded, window, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.ensure_shape(tf.slice(wide, [0, x - left, 0], [size, size, 3]), [size, size, 3])
