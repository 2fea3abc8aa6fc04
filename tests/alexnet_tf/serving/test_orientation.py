"""EXIF orientation in TensorFlow is Pillow's, for every value, byte order and damage."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from alexnet_tf.serving.decode import decode_image
from alexnet_tf.serving.orientation import orientation, upright
from alexnet_tf.serving.resize import central_square
from preprocessing.images.convert import ImageOptions, decode, decode_and_resize

SIDE = 16
PIXELS = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


@pytest.fixture(scope="module")
def read():
    return tf.function(orientation, input_signature=[tf.TensorSpec([], tf.string)])


def exif(value: int, order: str = "<", kind: int = 3, count: int = 1, before: int = 2) -> bytes:
    """An EXIF block with `before` other entries, the orientation, and one more."""
    other = [struct.pack(f"{order}HHII", 0x010F - i, 3, 1, 7) for i in range(before)][::-1]
    stored = struct.pack(f"{order}{'H2x' if kind == 3 else 'I'}", value)
    ours = struct.pack(f"{order}HHI", 0x0112, kind, count) + stored
    entries = [*other, ours, struct.pack(f"{order}HHII", 0x0131, 4, 1, 9)]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)


def file(kind: str, block: bytes | None, pixels: np.ndarray = PIXELS) -> bytes:
    content = io.BytesIO()
    options = {} if block is None else {"exif": b"Exif\0\0" + block}
    Image.fromarray(pixels).save(content, kind, **options)
    return content.getvalue()


def by_pillow(data: bytes) -> int:
    return decode(data, ImageOptions(size=8, apply_exif=True))[2]


@pytest.mark.parametrize("value", range(1, 9))
def test_turned_as_pillow_turns(value):
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(file("PNG", exif(value)))))
    turned = upright(tf.constant(PIXELS), tf.constant(value, tf.int32))
    np.testing.assert_array_equal(turned, np.asarray(expected))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("type_", [3, 4])
@pytest.mark.parametrize("value", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_read_as_pillow_reads(read, kind, order, type_, value):
    data = file(kind, exif(value, order, type_))
    assert int(read(data)) == by_pillow(data) == (value if 1 <= value <= 8 else 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF"])
def test_files_that_say_nothing_are_upright(read, kind):
    assert int(read(file(kind, None))) == 1


@pytest.mark.parametrize(
    "block",
    [
        exif(6, count=2),  # a pair of values
        exif(6, kind=2),  # text
        exif(6)[:30],  # ends within the entries
        exif(6)[:36],  # ends after the orientation's
        exif(6)[:8],  # no directory
        exif(6)[:4] + struct.pack("<I", 5000) + exif(6)[8:],  # a directory outside
        b"XX*\0" + exif(6)[4:],  # no byte order
        exif(6)[:8] + struct.pack("<H", 60_000) + exif(6)[10:],  # more entries than bytes
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow says what is damaged
def test_damaged_blocks_are_read_as_pillow_reads_them(read, block):
    data = file("JPEG", block)
    assert int(read(data)) == by_pillow(data)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 70), st.integers(0, 255), st.integers(0, 80))
def test_whatever_is_changed_or_cut_it_ends_with_an_orientation(read, at, value, cut):
    data = bytearray(file("JPEG", exif(6)))
    data[2 + at] = value
    for changed in (bytes(data), bytes(data[: 2 + cut])):
        assert 1 <= int(read(changed)) <= 8


def test_segments_before_are_passed_over(read):
    data = file("JPEG", exif(8))
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 300) + b"Exif\0\0" * 50
    data = data[:2] + comment * 3 + data[2:]
    assert int(read(data)) == by_pillow(data) == 8


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("shape", [(48, 64), (64, 48), (50, 50)])
def test_the_square_is_the_conversions(read, value, shape):
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    data = file("PNG", exif(value), pixels)
    expected = decode_and_resize(data, ImageOptions(size=24, apply_exif=True))
    received = upright(central_square(decode_image(tf.constant(data)), 24, "area"), read(data))
    difference = np.abs(received.numpy().astype(int) - expected)
    assert difference.max() <= 1  # halves, rounded by another sum
