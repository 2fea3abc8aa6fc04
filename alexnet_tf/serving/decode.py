"""In TensorFlow: the bytes of an image file to RGB pixels, as the conversion decodes them.

What the file is is told by its content. Grey images and palettes become RGB, 16-bit samples keep
their high byte, CMYK JPEGs are read as libjpeg does, transparency is laid over white; all this as
`preprocessing.images` does it. Left to TensorFlow, whose decoders know no better: transparent
pixels of GIFs (black) and a single transparent color of a PNG without palette (opaque).
"""

from __future__ import annotations

import tensorflow as tf

from alexnet_tf.serving.bounds import (
    at_least,
    check_pixels,
    check_scans,
    check_webp,
    first_gif_frame,
    number,
)

PALETTE = 3  # PNG color type


def decode_image(encoded: tf.Tensor) -> tf.Tensor:
    """uint8 [h, w, 3], RGB, of the bytes of a JPEG, PNG, GIF (its first frame) or BMP file.

    Other formats are whatever this TensorFlow's tf.io.decode_image knows.
    Raises InvalidArgumentError where it runs: no image, a damaged one, or one beyond `bounds`.
    """
    start = tf.strings.substr(encoded, 0, 3)
    image = tf.case(
        [
            (tf.equal(start, b"\xff\xd8\xff"), lambda: _jpeg(encoded)),
            (tf.equal(start, b"\x89PN"), lambda: _png(encoded)),
            (tf.equal(start, b"GIF"), lambda: _gif(encoded)),
            (tf.equal(start, b"RIF"), lambda: _webp(encoded)),
            (_is_palette_bmp(encoded), lambda: _palette_bmp(encoded)),
        ],
        default=lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, [None, None, 3])


def _jpeg(encoded: tf.Tensor) -> tf.Tensor:
    shape = tf.cast(tf.image.extract_jpeg_shape(encoded), tf.int64)
    with tf.control_dependencies([check_pixels(shape[0], shape[1])]):
        scans = check_scans(encoded, shape[0], shape[1])
    with tf.control_dependencies([scans]):
        # libjpeg's accurate transform is also Pillow's.
        return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")


def _png(encoded: tf.Tensor) -> tf.Tensor:
    encoded = at_least(encoded, 33, "PNG")
    width, height = number(encoded, 16, 4, "big"), number(encoded, 20, 4, "big")
    depth, kind = number(encoded, 24, 1, "big"), number(encoded, 25, 1, "big")
    with tf.control_dependencies([check_pixels(width, height)]):
        # TensorFlow adds a wrong opacity to samples of less than eight bits if asked for one.
        return tf.case(
            [
                (tf.equal(kind, PALETTE), lambda: _palette_png(encoded)),
                (depth >= 8, lambda: _over_white(tf.io.decode_png(encoded, channels=4))),
            ],
            default=lambda: tf.io.decode_png(encoded, channels=3),
        )


def _palette_png(encoded: tf.Tensor) -> tf.Tensor:
    image = tf.io.decode_png(encoded, channels=0)  # 4 channels if a color is transparent, or 3
    return tf.cond(
        tf.equal(tf.shape(image)[2], 4), lambda: _over_white(image), lambda: image[..., :3]
    )


def _gif(encoded: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_image(first_gif_frame(encoded), channels=3, expand_animations=False)


def _webp(encoded: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([check_webp(encoded)]):  # only newer TensorFlows know the format
        return tf.io.decode_image(encoded, channels=3, expand_animations=False)


def _is_palette_bmp(encoded: tf.Tensor) -> tf.Tensor:
    """A BMP of 8 bits a pixel, whose palette TensorFlow would not look up."""
    bmp = tf.logical_and(
        tf.equal(tf.strings.substr(encoded, 0, 2), b"BM"), tf.strings.length(encoded) >= 54
    )
    return tf.cond(
        bmp, lambda: tf.equal(number(encoded, 28, 2, "little"), 8), lambda: tf.constant(False)
    )


def _palette_bmp(encoded: tf.Tensor) -> tf.Tensor:
    header, used = number(encoded, 14, 4, "little"), number(encoded, 46, 4, "little")
    entries = tf.where(tf.equal(used, 0), tf.constant(256, tf.int64), used)
    entries = tf.clip_by_value(entries, 1, 256)
    length = tf.cast(tf.strings.length(encoded), tf.int64)
    whole = tf.debugging.Assert(
        14 + header + 4 * entries <= length,
        ["expected a BMP with a palette of", entries, "colors, received its beginning"],
    )
    with tf.control_dependencies([whole]):  # or which of two faults is told would be left to chance
        encoded, header = tf.identity(encoded), tf.identity(header)
    raw = tf.strings.substr(encoded, tf.cast(14 + header, tf.int32), tf.cast(4 * entries, tf.int32))
    indices = tf.io.decode_bmp(encoded, channels=0)[..., 0]
    bgr = tf.reshape(tf.io.decode_raw(raw, tf.uint8), [-1, 4])[:, :3]  # stored B, G, R, 0
    palette = tf.reverse(bgr, [1])  # not by a negative stride, which TensorFlow's optimizer reports
    last = tf.shape(palette)[0] - 1
    return tf.gather(palette, tf.minimum(tf.cast(indices, tf.int32), last))


def _over_white(image: tf.Tensor) -> tf.Tensor:
    """uint8 [h, w, 4] → [h, w, 3], rounded as Pillow's alpha_composite does."""
    color, opacity = tf.cast(image[..., :3], tf.uint16), tf.cast(image[..., 3:], tf.uint16)
    total = color * opacity + 255 * (255 - opacity) + 128  # at most 65,153
    return tf.cast(tf.bitwise.right_shift(total + tf.bitwise.right_shift(total, 8), 8), tf.uint8)
