"""In TensorFlow: what is refused before it is decoded; a small file can stand for gigabytes.

The limits are those of `preprocessing.images.limits`. Each function raises InvalidArgumentError
where it runs.
"""

from __future__ import annotations

import tensorflow as tf

MAX_PIXELS = 89_478_485
MAX_WEBP_PIXELS = 40_000_000  # libwebp's decoder holds several copies of an image
MAX_SCANNED_PIXELS = 20 * MAX_PIXELS  # a JPEG is decoded once for each of its scans
GIF_BLOCKS = 500_000  # of the first frame: more than any frame within the pixel limit has

_BLOCKS, _EXTENSION, _FRAME, _END, _DAMAGED = range(5)  # where in a GIF the walk is


def at_least(encoded: tf.Tensor, least: int, kind: str) -> tf.Tensor:
    """`encoded`, checked: what reads this tensor waits for the check, or either may fail first."""
    enough = tf.strings.length(encoded) >= least
    check = tf.debugging.Assert(enough, [f"expected a whole {kind}, received its beginning"])
    with tf.control_dependencies([check]):
        return tf.identity(encoded)


def check_pixels(width: tf.Tensor, height: tf.Tensor, limit: int = MAX_PIXELS) -> tf.Operation:
    """Args: int64, not negative. Their product may be beyond that: a PNG's sides have 32 bits."""
    return tf.debugging.Assert(
        width <= limit // tf.maximum(height, 1),
        [f"expected an image of at most {limit} pixels, received", width, "x", height],
    )


def check_scans(encoded: tf.Tensor, width: tf.Tensor, height: tf.Tensor) -> tf.Operation:
    """Of a JPEG. Scans are counted in the whole file, so that a thumbnail's are among them."""
    values = tf.io.decode_raw(encoded, tf.uint8)
    starts = tf.logical_and(tf.equal(values[:-1], 0xFF), tf.equal(values[1:], 0xDA))
    scans = tf.math.count_nonzero(starts)
    return tf.debugging.Assert(
        scans * width * height <= MAX_SCANNED_PIXELS,
        ["expected a JPEG of less work, received", scans, "scans of", width, "x", height],
    )


def check_webp(encoded: tf.Tensor) -> tf.Operation:
    """By the canvas of an extended file, or the size of its only frame."""
    encoded = at_least(encoded, 30, "WebP")
    kind = tf.strings.substr(encoded, 12, 4)
    lossless = number(encoded, 21, 4, "little")
    sides = tf.case(
        [
            (
                tf.equal(kind, b"VP8X"),
                lambda: (
                    number(encoded, 24, 3, "little") + 1,
                    number(encoded, 27, 3, "little") + 1,
                ),
            ),
            (
                tf.equal(kind, b"VP8L"),
                lambda: (lossless % 2**14 + 1, lossless // 2**14 % 2**14 + 1),
            ),
        ],
        default=lambda: (
            number(encoded, 26, 2, "little") % 2**14,
            number(encoded, 28, 2, "little") % 2**14,
        ),
    )
    return check_pixels(*sides, MAX_WEBP_PIXELS)


def first_gif_frame(encoded: tf.Tensor) -> tf.Tensor:
    """The GIF cut off behind its first frame, with an end: TensorFlow would decode all of them.

    Neither the screen nor the frame may have more than MAX_PIXELS.
    """
    encoded = at_least(encoded, 13, "GIF")
    screen = number(encoded, 6, 2, "little"), number(encoded, 8, 2, "little")
    values = tf.io.decode_raw(encoded, tf.uint8)
    size = tf.size(values)

    def at(position: tf.Tensor) -> tf.Tensor:
        return tf.cast(values[position], tf.int32)

    def table(flags: tf.Tensor) -> tf.Tensor:
        """Bytes of the color table that flags tell of."""
        entries = tf.bitwise.left_shift(2, tf.bitwise.bitwise_and(flags, 7))
        return tf.where(flags >= 128, 3 * entries, 0)

    def block(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        kind = at(position)

        def frame() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            flags = at(tf.minimum(position + 9, size - 1))
            return position + 11 + table(flags), _FRAME, position

        def other() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            return position + 2, tf.where(tf.equal(kind, 0x21), _EXTENSION, _DAMAGED), 0

        return tf.cond(tf.equal(kind, 0x2C), frame, other)

    def step(
        position: tf.Tensor, state: tf.Tensor, start: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        def part() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            length = at(position)
            after = tf.where(tf.equal(state, _FRAME), _END, _BLOCKS)
            return position + 1 + length, tf.where(tf.equal(length, 0), after, state), start

        return tf.cond(tf.equal(state, _BLOCKS), lambda: block(position), part)

    first = 13 + table(at(tf.constant(10)))
    end, state, start = tf.while_loop(
        lambda position, state, start: (position < size) & (state < _END),
        step,
        (first, tf.constant(_BLOCKS), tf.constant(0)),
        maximum_iterations=GIF_BLOCKS,
    )
    whole = tf.debugging.Assert(
        tf.equal(state, _END), ["expected a whole GIF, received its beginning, or a damaged one"]
    )
    with tf.control_dependencies([whole]):
        corner = number(encoded, start + 1, 2, "little"), number(encoded, start + 3, 2, "little")
        sides = number(encoded, start + 5, 2, "little"), number(encoded, start + 7, 2, "little")
    extent = [tf.maximum(s, c + f) for s, c, f in zip(screen, corner, sides, strict=True)]
    with tf.control_dependencies([check_pixels(*extent)]):
        return tf.strings.join([tf.strings.substr(encoded, 0, end), b";"])


def number(encoded: tf.Tensor, start: tf.Tensor | int, count: int, order: str) -> tf.Tensor:
    """int64 of `count` bytes from `start` on, "big" or "little" end first."""
    values = tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, start, count), tf.uint8), tf.int64)
    powers = [256**i for i in range(count)]
    return tf.reduce_sum(values * tf.constant(powers[::-1] if order == "big" else powers, tf.int64))
