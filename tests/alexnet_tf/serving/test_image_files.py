"""What `predict` reads: every format of the conversion, its pixels alike; no pipe is waited for."""

import io
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import ExifTags, Image, features

from alexnet_tf.serving import image_files
from alexnet_tf.serving.decode import decode_image
from alexnet_tf.serving.image_files import Unreadable
from alexnet_tf.serving.orientation import orientation, upright
from preprocessing.images.convert import ImageOptions, decode_and_resize
from tests.alexnet_tf.serving.test_decode import colors, file, sixteen_bits, transparent

SIDE = 30


def square(image: Image.Image) -> Image.Image:
    return image.crop((0, 0, SIDE, SIDE))


FILES = {
    "webp": file(square(colors()), "WEBP", quality=90),
    "webp, opacity": file(square(transparent()), "WEBP", lossless=True),
    "tiff": file(square(colors()), "TIFF"),
    "tiff, 16 bits": file(square(sixteen_bits()), "TIFF"),
    "tiff, cmyk": file(square(colors().convert("CMYK")), "TIFF"),
    "tiff, palette": file(square(colors().quantize(30)), "TIFF"),
    "tiff, opacity": file(square(transparent()), "TIFF"),
    "ppm": file(square(colors()), "PPM"),
    "pgm": file(square(colors().convert("L")), "PPM"),
    "pbm": file(square(colors().convert("1")), "PPM"),
}
if features.check("avif"):
    FILES["avif"] = file(square(colors()), "AVIF")


def served(path) -> np.ndarray:
    data = tf.constant(image_files.read(str(path)))
    return upright(decode_image(data), orientation(data)).numpy()


@pytest.mark.parametrize("kind", FILES)
def test_the_same_pixels_as_the_conversion(kind, tmp_path):
    (tmp_path / "a").write_bytes(FILES[kind])
    expected = decode_and_resize(FILES[kind], ImageOptions(size=SIDE, filter="bilinear"))
    np.testing.assert_array_equal(served(tmp_path / "a"), expected)


@pytest.mark.parametrize("kind", ["WEBP", "TIFF"])
@pytest.mark.parametrize("value", range(1, 9))
def test_turned_as_the_conversion_turns(kind, value, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    data = file(square(colors()), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    (tmp_path / "a").write_bytes(data)
    options = ImageOptions(size=SIDE, filter="bilinear", apply_exif=True)
    np.testing.assert_array_equal(served(tmp_path / "a"), decode_and_resize(data, options))


def with_orientation(value: int) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    return exif.tobytes()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # the conversion's Pillow says so
@pytest.mark.parametrize(
    "block",
    [b"garbage", b"Exif\0\0II*\0", with_orientation(99), with_orientation(6)[:-9], b"\0" * 30],
    ids=["garbage", "its beginning", "no orientation", "cut off", "zeros"],
)
def test_what_is_broken_in_the_exif_is_not_broken_in_the_image(block, tmp_path):
    data = file(square(colors()), "WEBP", lossless=True, exif=block)
    (tmp_path / "a").write_bytes(data)
    options = ImageOptions(size=SIDE, filter="bilinear", apply_exif=True)
    np.testing.assert_array_equal(served(tmp_path / "a"), decode_and_resize(data, options))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
def test_what_the_graph_reads_passes_as_it_is(kind, tmp_path):
    data = file(colors().quantize(9) if kind == "GIF" else colors(), kind)
    (tmp_path / "a").write_bytes(data)
    assert image_files.read(str(tmp_path / "a")) == data


@pytest.mark.parametrize("kind", FILES)
def test_cut_or_too_large_it_is_told(kind, tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(FILES[kind][: 20 + len(FILES[kind]) // 8])
    with pytest.raises(Unreadable) as raised:
        image_files.read(str(tmp_path / "a"))
    assert "0x" not in str(raised.value)
    (tmp_path / "a").write_bytes(FILES[kind])
    monkeypatch.setattr(image_files, "FORMATS", dict.fromkeys(image_files.FORMATS, SIDE * SIDE - 1))
    with pytest.raises(Unreadable, match=f"received {SIDE} x {SIDE}"):
        image_files.read(str(tmp_path / "a"))


def test_floating_point_has_no_color(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(Unreadable, match="mode F"):
        image_files.read(str(tmp_path / "a.tiff"))


def test_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", "/dev/zero", tmp_path):
        with pytest.raises(Unreadable, match="expected a regular file"):
            image_files.read(str(path))
    for path in (tmp_path / "none.jpg", "null\0byte"):
        with pytest.raises(Unreadable):
            image_files.read(str(path))


def test_standard_input_may_be_closed_or_too_much(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(Unreadable, match="closed"):
        image_files.read("-")
    monkeypatch.setattr(image_files, "MAX_BYTES", 10)
    content = SimpleNamespace(buffer=io.BytesIO(bytes(11)), closed=False)
    monkeypatch.setattr(sys, "stdin", content)
    with pytest.raises(Unreadable, match="at most 10 bytes"):
        image_files.read("-")
