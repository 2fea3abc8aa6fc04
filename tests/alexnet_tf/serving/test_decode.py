"""Decoding in TensorFlow gives the very pixels that the conversion's Pillow gives."""

import contextlib
import io
import resource
import struct
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from alexnet_tf.serving import bounds
from alexnet_tf.serving.bounds import MAX_PIXELS, MAX_WEBP_PIXELS
from alexnet_tf.serving.decode import decode_image
from preprocessing.images.convert import ImageOptions, decode, decode_and_resize

HEIGHT, WIDTH = 30, 40


@pytest.fixture(scope="module")
def run():
    spec = [tf.TensorSpec([], tf.string)]
    return tf.function(decode_image, input_signature=spec)


def colors() -> Image.Image:
    steps = np.random.default_rng(0).normal(0, 6, (HEIGHT, WIDTH, 3))
    return Image.fromarray(np.clip(np.cumsum(steps, axis=1) + 128, 0, 255).astype(np.uint8))


def transparent() -> Image.Image:
    opacity = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
    return Image.fromarray(np.dstack([np.asarray(colors()), opacity]))


def sixteen_bits() -> Image.Image:
    grey = np.asarray(colors().convert("L")).astype(np.uint16)
    return Image.fromarray(grey * 257 - 100 * (grey > 0).astype(np.uint16))


def file(image: Image.Image, kind: str, **options) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def without_adobe_marker(data: bytes) -> bytes:
    start = data.index(b"\xff\xee")
    length = struct.unpack(">H", data[start + 2 : start + 4])[0]
    return data[:start] + data[start + 2 + length :]


CMYK = file(colors().convert("CMYK"), "JPEG", quality=95)
FILES = {
    "jpeg": file(colors(), "JPEG", quality=95),
    "jpeg, 4:4:4": file(colors(), "JPEG", quality=90, subsampling=0),
    "jpeg, grey": file(colors().convert("L"), "JPEG"),
    "jpeg, progressive": file(colors(), "JPEG", progressive=True),
    "jpeg, cmyk": CMYK,
    "jpeg, cmyk, no Adobe marker": without_adobe_marker(CMYK),
    "png": file(colors(), "PNG"),
    "png, grey": file(colors().convert("L"), "PNG"),
    "png, grey, transparent color": file(colors().convert("L"), "PNG", transparency=128),
    "png, 1 bit": file(colors().convert("1"), "PNG"),
    "png, 16 bits": file(sixteen_bits(), "PNG"),
    "png, opacity": file(transparent(), "PNG"),
    "png, grey and opacity": file(transparent().convert("LA"), "PNG"),
    "png, palette": file(colors().quantize(60), "PNG"),
    "png, palette of 2 bits": file(colors().quantize(4), "PNG", bits=2),
    "png, palette and opacity": file(transparent().quantize(50, method=2), "PNG"),
    "png, palette, transparent color": file(colors().quantize(60), "PNG", transparency=3),
    "gif": file(colors().quantize(60), "GIF"),
    "bmp": file(colors(), "BMP"),
    "bmp, grey": file(colors().convert("L"), "BMP"),
    "bmp, palette": file(colors().quantize(60), "BMP"),
    "bmp, 32 bits": file(transparent(), "BMP"),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_same_pixels_as_the_conversion(kind, run):
    image, _, _ = decode(FILES[kind], ImageOptions(size=8))
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(run(FILES[kind]).numpy(), expected)


def test_of_several_frames_the_first(run):
    frames = [colors().quantize(60), colors().rotate(90).quantize(60)]
    data = file(frames[0], "GIF", save_all=True, append_images=frames[1:])
    image = decode_and_resize(data, ImageOptions(size=HEIGHT, filter="bilinear"))
    received = run(data).numpy()[:, (WIDTH - HEIGHT) // 2 :][:, :HEIGHT]
    np.testing.assert_array_equal(received, image)


def oversized(data: bytes, at: int, form: str, side: int = 60_000) -> bytes:
    return data[:at] + struct.pack(form, side, side) + data[at + struct.calcsize(form) :]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"no image at all", "format"),
        (FILES["jpeg"][:300], "JPEG"),
        (FILES["jpeg"][:10], "JPEG"),
        (FILES["png"][:20], "PNG, received its beginning"),
        (FILES["png"][:300], "PNG"),
        (FILES["gif"][:8], "GIF, received its beginning"),
        (FILES["gif"][:200], "GIF"),
        (FILES["bmp"][:20], "bmp"),
        (FILES["bmp, palette"][:200], "BMP"),
        (oversized(FILES["png"], 16, ">II"), f"at most {MAX_PIXELS} pixels"),
        (oversized(FILES["gif"], 6, "<HH"), f"at most {MAX_PIXELS} pixels"),
        (
            oversized(FILES["jpeg"], FILES["jpeg"].index(b"\xff\xc0") + 5, ">HH"),
            f"at most {MAX_PIXELS} pixels",
        ),
    ],
)
def test_what_is_no_whole_image_is_an_invalid_argument(data, message, run):
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        run(data)
    assert message in raised.value.message


@pytest.mark.parametrize(
    ("start", "least", "kind"),
    [
        (FILES["gif"], 13, "GIF"),
        (FILES["png"], 33, "PNG"),
        (b"RIFF\0\0\0\0WEBPVP8L" + bytes(14), 30, "WebP"),
    ],
)
def test_a_beginning_is_told_by_its_check_and_never_by_what_would_read_on(start, least, kind, run):
    for length in range(3, least):
        for _ in range(20):  # operations run in any order that their dependencies allow
            with pytest.raises(tf.errors.InvalidArgumentError, match=f"{kind}, received its begin"):
                run(start[:length])


def with_header(size: int) -> bytes:
    """FILES["bmp, palette"] that says so of its header, with as many bytes more."""
    data = FILES["bmp, palette"]
    more = bytes(max(0, size - 40)) if size < 1000 else b""
    return data[:14] + struct.pack("<I", size) + data[18:54] + more + data[54:]


@pytest.mark.parametrize("header", [40, 124, 2**31 - 14, 2**32 - 1])
def test_a_palette_that_is_cut_off_is_told_by_its_check(header, run):
    data, colors = with_header(header), 60
    for length in (54, 60, 100, 13 + header + 4 * colors):
        for _ in range(20):
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"a palette of.*beginning"):
                run(data[:length])


def test_a_palette_behind_a_longer_header_is_found(run):
    """Of version 5; Pillow's own files have the shortest."""
    data = bytearray(with_header(124))
    data[10:14] = struct.pack(
        "<I", struct.unpack("<I", data[10:14])[0] + 84
    )  # where the pixels are
    image, _, _ = decode(bytes(data), ImageOptions(size=8))
    np.testing.assert_array_equal(run(bytes(data)).numpy(), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("sides", [(2**32 - 1, 2**32 - 1), (2**32 - 1, 2**31 + 1), (2**31, 2**32)])
def test_a_product_of_sides_beyond_64_bits_is_beyond_the_limit(sides):
    for width, height in (sides, sides[::-1]):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"at most {MAX_PIXELS} pixels"):
            bounds.check_pixels(*map(tf.constant, (width, height), 2 * (tf.int64,)))


@given(width=st.integers(1, 2**32), height=st.integers(1, 2**32))
@example(width=MAX_PIXELS, height=1)
@example(width=MAX_PIXELS // 7, height=7)
@example(width=MAX_PIXELS // 7 + 1, height=7)
def test_the_limit_is_that_of_the_product(width, height):
    within = width * height <= MAX_PIXELS
    told = pytest.raises(tf.errors.InvalidArgumentError, match="pixels")
    with contextlib.nullcontext() if within else told:
        bounds.check_pixels(tf.constant(width, tf.int64), tf.constant(height, tf.int64))


def test_transparency_is_pillows_for_every_color_and_opacity(run):
    color, opacity = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    data = file(Image.fromarray(np.dstack([color, color[::-1], 255 - color, opacity])), "PNG")
    image, _, _ = decode(data, ImageOptions(size=8))
    np.testing.assert_array_equal(run(data).numpy(), np.asarray(image.convert("RGB")))


def gif_frame(width: int, height: int) -> bytes:
    """FILES["gif"] with another size of its first frame."""
    data = FILES["gif"]
    start = data.index(b"\x2c\0\0\0\0") + 5
    return data[:start] + struct.pack("<HH", width, height) + data[start + 4 :]


def webp(width: int, height: int) -> bytes:
    """The beginning of a lossless WebP of that size, and nothing behind it."""
    sides = struct.pack("<I", (width - 1) | (height - 1) << 14)
    content = b"WEBPVP8L" + struct.pack("<I", 12) + b"\x2f" + sides + bytes(7)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def many_scans(count: int) -> bytes:
    """A JPEG that says it has 9,000² pixels and so many scans."""
    data = FILES["jpeg, progressive"]
    at = data.index(b"\xff\xc2") + 5
    data = data[:at] + struct.pack(">HH", 9000, 9000) + data[at + 4 :]
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * count + b"\xff\xd9"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gif_frame(30_000, 30_000), f"at most {MAX_PIXELS} pixels"),
        (webp(16_000, 16_000), f"at most {MAX_WEBP_PIXELS} pixels"),
        (many_scans(2000), "of less work"),
    ],
)
def test_a_small_file_that_stands_for_gigabytes_or_minutes_is_refused(data, message, run):
    """Within little memory: a process of this much could not hold what they stand for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (500 << 20), hard))
    try:
        with pytest.raises(tf.errors.InvalidArgumentError) as raised:
            run(data)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert message in raised.value.message


@pytest.mark.parametrize("kind", ["lossy", "lossless", "extended"])
def test_sizes_of_webp_are_read_from_every_kind_of_header(kind):
    image = colors() if kind != "extended" else transparent()
    data = file(image, "WEBP", lossless=kind == "lossless")
    assert data[12:16] == {"lossy": b"VP8 ", "lossless": b"VP8L", "extended": b"VP8X"}[kind]
    bounds.check_webp(tf.constant(data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "MAX_WEBP_PIXELS", HEIGHT * WIDTH - 1)
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"(?s){WIDTH}.*{HEIGHT}"):
            bounds.check_webp(tf.constant(data))


def test_frames_behind_the_first_are_not_looked_at(run):
    """Not even if they are damaged; with comments and a table of its own before the first."""
    frames = [colors().quantize(60), colors().rotate(90).quantize(50)]
    whole = file(frames[0], "GIF", save_all=True, append_images=frames[1:], comment=b"c" * 600)
    expected = run(file(frames[0], "GIF")).numpy()
    np.testing.assert_array_equal(run(whole).numpy(), expected)
    second = whole.rindex(b"\x2c")
    np.testing.assert_array_equal(run(whole[: second + 40]).numpy(), expected)
