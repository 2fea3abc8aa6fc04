"""Records' bytes to the pixels of crops, the very ones that Pillow decodes from the images."""

from __future__ import annotations

import io

import tensorflow as tf
from PIL import Image

from preprocessing.dataset.example import FEATURES, Record, encode_example
from preprocessing.dataset.info import DatasetInfo

ENCODED, FORMAT, LABEL = FEATURES["encoded"], FEATURES["format"], FEATURES["label"]
PARSED = {  # what is read of a record
    ENCODED: tf.io.FixedLenFeature([], tf.string),
    FORMAT: tf.io.FixedLenFeature([], tf.string, ""),
    LABEL: tf.io.FixedLenFeature([], tf.int64),
}
# libjpeg's accurate transform is also Pillow's; TensorFlow's default is off by up to 21 levels.
EXACT = "INTEGER_ACCURATE"
BLANK = "blank"  # the format of a record that is none of the dataset's


def blank(info: DatasetInfo) -> bytes:
    """A record that is none of the dataset's, for places that no image fills: black, label 0."""
    black = Image.new("RGB", (info.image_size, info.image_size))
    jpeg = io.BytesIO()
    black.save(jpeg, "JPEG")
    encoded = {"raw": black.tobytes(), "jpeg": jpeg.getvalue()}[info.encoding]
    side = info.image_size
    return encode_example(Record(encoded, BLANK, side, side, 0, synset="", text="", filename=""))


def decode_crops(records: tf.Tensor, info: DatasetInfo, offsets: tf.Tensor, size: int) -> tuple:
    """(uint8 [n, size, size, 3], label int32 [n], weight float32 [n]) of so many records.

    Args: records, string [n], n known: the bytes of a `tf.train.Example` each; offsets, int32
        [n, 2]: (y, x) of each crop's corner. A blank record has weight 0.
    """
    parsed = tf.io.parse_example(records, PARSED)
    pairs = zip(tf.unstack(parsed[ENCODED]), tf.unstack(offsets), strict=True)
    crops = tf.stack([crop_of(image, info, offset, size) for image, offset in pairs])
    weights = tf.cast(tf.not_equal(parsed[FORMAT], BLANK), tf.float32)
    return crops, tf.cast(parsed[LABEL], tf.int32), weights


def crop_of(image: tf.Tensor, info: DatasetInfo, offset: tf.Tensor, size: int) -> tf.Tensor:
    """uint8 [size, size, 3] of a dataset's encoded image, or of its rows of pixels."""
    if image.dtype == tf.string and info.encoding == "jpeg":
        return _jpeg(image, info.image_size, offset[0], offset[1], size)
    rows = rows_of(image, info) if image.dtype == tf.string else image
    crop = tf.slice(rows, [offset[0], 3 * offset[1]], [size, 3 * size])
    return tf.reshape(crop, [size, size, 3])


def rows_of(encoded: tf.Tensor, info: DatasetInfo) -> tf.Tensor:
    """All pixels of a dataset's encoded image, uint8 [side, 3·side]."""
    side = info.image_size
    if info.encoding == "raw":
        pixels = tf.io.decode_raw(encoded, tf.uint8)
    else:
        pixels = tf.io.decode_jpeg(encoded, channels=3, dct_method=EXACT)
        pixels = tf.ensure_shape(pixels, [side, side, 3])
    return tf.reshape(pixels, [side, 3 * side])


def _jpeg(encoded: tf.Tensor, side: int, y: tf.Tensor, x: tf.Tensor, size: int) -> tf.Tensor:
    """Decodes one column more on either side, from which the edges' colors are interpolated."""
    left = tf.maximum(x - 1, 0)
    window = [y, left, size, tf.minimum(x + size + 1, side) - left]
    wide = tf.image.decode_and_crop_jpeg(encoded, window, channels=3, dct_method=EXACT)
    return tf.ensure_shape(tf.slice(wide, [0, x - left, 0], [size, size, 3]), [size, size, 3])
