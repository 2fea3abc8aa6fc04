"""Records' bytes to the pixels of crops, the very ones that Pillow decodes from the pictures."""

from __future__ import annotations

import io

import tensorflow as tf
from PIL import Image

from preprocessing.dataset import DatasetInfo

FEATURES = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/format": tf.io.FixedLenFeature([], tf.string, ""),
    "image/class/label": tf.io.FixedLenFeature([], tf.int64),
}
BLANK = b"blank"  # the format of a record that is none of the dataset's


def blank(info: DatasetInfo) -> bytes:
    """A record that is none of the dataset's, for places that no picture fills: black, label 0."""
    black = Image.new("RGB", (info.image_size, info.image_size))
    jpeg = io.BytesIO()
    black.save(jpeg, "JPEG")
    encoded = {"raw": black.tobytes(), "jpeg": jpeg.getvalue()}[info.encoding]
    example = tf.train.Example()
    for name, value in (("image/encoded", encoded), ("image/format", BLANK)):
        example.features.feature[name].bytes_list.value.append(value)
    example.features.feature["image/class/label"].int64_list.value.append(0)
    return example.SerializeToString()


def decode_crops(records: tf.Tensor, info: DatasetInfo, offsets: tf.Tensor, size: int) -> tuple:
    """(uint8 [n, size, size, 3], label int32 [n], weight float32 [n]) of so many records.

    Args: records, string [n], n known: the bytes of a `tf.train.Example` each; offsets, int32
        [n, 2]: (y, x) of each crop's corner. A blank record has weight 0.
    """
    parsed = tf.io.parse_example(records, FEATURES)
    pairs = zip(tf.unstack(parsed["image/encoded"]), tf.unstack(offsets), strict=True)
    crops = tf.stack([crop_of(encoded, info, offset, size) for encoded, offset in pairs])
    weights = tf.cast(tf.not_equal(parsed["image/format"], BLANK), tf.float32)
    return crops, tf.cast(parsed["image/class/label"], tf.int32), weights


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
