"""In TensorFlow: the EXIF orientation of an image file, and turning its pixels upright by it.

Phones store pictures as the sensor lies and say in the EXIF data how to turn them. A dataset whose
conversion did so (`options["apply_exif"]`) is served so. Read as Pillow does, from JPEG (APP1) and
PNG (eXIf): the first EXIF block's first directory; whatever is damaged counts as upright. Unlike
Pillow, no orientation is looked for in XMP texts.

EXIF: JEITA CP-3451, 4.5.4 and 4.6.2. A block is a TIFF file in small: byte order, offset of a
directory, whose entries of 12 bytes are tag, type, count, value.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

TAG, SHORT, LONG = 0x0112, 3, 4
ENTRY = 12  # bytes
SEGMENTS = 1000  # at most that many are looked at
TRANSPOSED, MIRRORED, UPSIDE_DOWN = (5, 6, 7, 8), (2, 3, 6, 7), (3, 4, 7, 8)


def orientation(encoded: tf.Tensor) -> tf.Tensor:
    """int32, 1…8, of a file's bytes (a string scalar): 1, upright, if it says nothing."""
    start = tf.strings.substr(encoded, 0, 3)
    block = tf.case(
        [
            (tf.equal(start, b"\xff\xd8\xff"), lambda: _jpeg_block(encoded)),
            (tf.equal(start, b"\x89PN"), lambda: _png_block(encoded)),
        ],
        default=lambda: tf.constant(b""),
    )
    return tf.cond(
        tf.strings.length(block) >= 8, lambda: _in_block(block), lambda: tf.constant(1, tf.int32)
    )


def upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """[n, n, c], a square stored with that orientation, as it should be seen."""
    in_list = lambda values: tf.reduce_any(tf.equal(orientation, values))  # noqa: E731
    # Not by tf.transpose: TensorFlow's optimizer reports that oneDNN has none for bytes.
    turned = tf.cast(tf.einsum("yxc->xyc", tf.cast(pixels, tf.float32)), pixels.dtype)
    pixels = tf.where(in_list(TRANSPOSED), turned, pixels)
    pixels = tf.where(in_list(MIRRORED), tf.reverse(pixels, [1]), pixels)
    return tf.where(in_list(UPSIDE_DOWN), tf.reverse(pixels, [0]), pixels)


def _jpeg_block(encoded: tf.Tensor) -> tf.Tensor:
    """The EXIF block among the segments before the first scan, or nothing."""

    def segment(at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        marker, length = _number(encoded, at, 2), _number(encoded, at + 2, 2)
        is_exif = tf.logical_and(
            tf.equal(marker, 0xFFE1), tf.equal(_bytes(encoded, at + 4, 6), b"Exif\0\0")
        )
        block = _bytes(encoded, at + 10, length - 8)
        ends = (
            (marker < 0xFFC0) | tf.equal(marker, 0xFFDA) | tf.equal(marker, 0xFFD9) | (length < 2)
        )
        return tf.where(is_exif, block, b""), at + 2 + length, ends

    return _first(encoded, 2, segment)


def _png_block(encoded: tf.Tensor) -> tf.Tensor:
    """The content of the first eXIf chunk, or nothing."""

    def chunk(at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        length, kind = _number(encoded, at, 4), _bytes(encoded, at + 4, 4)
        block = tf.where(tf.equal(kind, b"eXIf"), _bytes(encoded, at + 8, length), b"")
        return block, at + 12 + length, tf.equal(kind, b"IEND")

    return _first(encoded, 8, chunk)


def _first(
    encoded: tf.Tensor, start: int, read: Callable[[tf.Tensor], tuple[tf.Tensor, ...]]
) -> tf.Tensor:
    """The first content that `read` gives: from (offset) to (content or b"", next offset, end)."""
    size = tf.cast(tf.strings.length(encoded), tf.int64)

    def body(at: tf.Tensor, _block: tf.Tensor, _end: tf.Tensor) -> tuple:
        block, following, end = read(at)
        return following, block, end

    _, block, _ = tf.while_loop(
        lambda at, block, end: (at + 4 <= size) & ~end & tf.equal(tf.strings.length(block), 0),
        body,
        (tf.constant(start, tf.int64), tf.constant(b""), tf.constant(False)),
        maximum_iterations=SEGMENTS,
    )
    return block


def _in_block(block: tf.Tensor) -> tf.Tensor:
    """The orientation that an EXIF block says."""
    values = tf.cast(tf.io.decode_raw(block, tf.uint8), tf.int64)
    big = tf.equal(tf.strings.substr(block, 0, 2), b"MM")
    known = tf.reduce_any(
        tf.equal(tf.strings.substr(block, 0, 4), [b"MM\0*", b"II*\0", b"MM*\0", b"II\0*"])
    )

    def number(digits: tf.Tensor) -> tf.Tensor:
        """int64 […] of bytes […, count]."""
        count = digits.shape[-1]
        powers = [256**i for i in range(count)]
        # Not reversed as a tensor: TensorFlow's optimizer reports the negative stride.
        little, large = (tf.constant(row, tf.int64) for row in (powers, powers[::-1]))
        return tf.reduce_sum(digits * tf.where(big, large, little), axis=-1)

    size = tf.size(values, tf.int64)
    directory = number(tf.ensure_shape(values[4:8], [4]))
    usable = known & (directory >= 8) & (directory + 2 <= size)
    directory = tf.where(usable, directory, 0)
    count = number(tf.ensure_shape(values[directory : directory + 2], [2]))
    first = directory + 2
    count = tf.where(usable, tf.minimum(count, (size - first) // ENTRY), 0)
    entries = tf.reshape(values[first : first + count * ENTRY], [-1, ENTRY])
    kinds = number(entries[:, 2:4])
    stored = tf.where(tf.equal(kinds, SHORT), number(entries[:, 8:10]), number(entries[:, 8:12]))
    values_each = number(entries[:, 4:8])
    room = tf.constant(2, tf.int64)  # SHORTs within an entry; the first of two is taken, too
    is_ours = (
        tf.equal(number(entries[:, 0:2]), TAG)
        & (tf.equal(kinds, SHORT) | tf.equal(kinds, LONG))
        & (values_each >= 1)
        & (values_each <= tf.where(tf.equal(kinds, SHORT), room, 1))
    )
    found = tf.concat([[tf.constant(1, tf.int64)], tf.boolean_mask(stored, is_ours)], axis=0)[-1]
    return tf.cast(tf.where((found >= 1) & (found <= 8), found, 1), tf.int32)


def _bytes(encoded: tf.Tensor, start: tf.Tensor, count: tf.Tensor | int) -> tf.Tensor:
    """So many bytes from `start` on, or as many as there are."""
    size = tf.cast(tf.strings.length(encoded), tf.int64)
    start = tf.minimum(start, size)
    count = tf.clip_by_value(tf.cast(count, tf.int64), 0, size - start)
    return tf.strings.substr(encoded, start, count)


def _number(encoded: tf.Tensor, start: tf.Tensor, count: int) -> tf.Tensor:
    """int64 of big-endian bytes; 0 where there are not as many."""
    digits = tf.io.decode_raw(_bytes(encoded, start, count), tf.uint8)
    whole = tf.equal(tf.size(digits), count)
    digits = tf.where(whole, tf.pad(digits, [[0, count]])[:count], 0)
    powers = tf.constant([256**i for i in range(count)][::-1], tf.int64)
    return tf.reduce_sum(tf.cast(digits, tf.int64) * powers)
