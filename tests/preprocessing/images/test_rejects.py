"""Images that cannot be converted: each becomes a Reject with its reason, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from preprocessing.images import convert as images
from preprocessing.images.convert import ImageOptions, Reject, decode_and_resize
from tests.preprocessing.image_files import file_of, noise, photograph, png, png_chunk

IMAGE = Image.fromarray(photograph(40, 60))
FILES = {format: file_of(IMAGE, format) for format in ("JPEG", *images.FORMATS[1:])}
OPTIONS = ImageOptions(size=16, apply_exif=True)


def reason(data: bytes, **options) -> str:
    with pytest.raises(Reject) as caught:
        decode_and_resize(data, ImageOptions(**({"size": 16} | options)))
    assert caught.value.detail
    assert "\n" not in str(caught.value)
    return caught.value.reason


def outcome(data: bytes) -> np.ndarray | str:
    """The pixels, or the reason of the reject."""
    try:
        return decode_and_resize(data, OPTIONS)
    except Reject as reject:
        return reject.reason


def test_no_bytes():
    assert reason(b"") == "empty"


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"\0" * 5000,
        b"<html><body>404 Not Found</body></html>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",  # would start Ghostscript
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_no_image(data):
    assert reason(data) in ("not-an-image", "undecodable")


def test_formats_that_are_not_listed_are_no_images():
    assert reason(file_of(IMAGE, "TGA")) == "not-an-image"
    assert reason(file_of(IMAGE, "ICO")) == "not-an-image"


@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_truncated_files(format, share):
    data = FILES[format]
    others = {"WEBP": {"undecodable"}, "AVIF": {"undecodable", "not-an-image"}}
    expected = {"truncated"} | others.get(format, set())
    assert reason(data[: int(share * len(data))]) in expected


@pytest.mark.filterwarnings("ignore")  # of Pillow's, on damaged metadata
@pytest.mark.parametrize("format", FILES)
def test_any_prefix_is_rejected_or_whole(format):
    """No prefix gives anything but the whole image (it lacks a mere trailer) or a Reject."""
    data = FILES[format]
    whole = decode_and_resize(data, OPTIONS)
    for end in range(1, len(data), max(1, len(data) // 150)):
        result = outcome(data[:end])
        if isinstance(result, str):
            assert result in ("truncated", "undecodable", "not-an-image")
        else:
            np.testing.assert_array_equal(result, whole)
            assert end > 0.98 * len(data)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=300, deadline=None)
@given(
    format=st.sampled_from(sorted(FILES)),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
)
def test_damaged_bytes_give_an_image_or_a_reject(format, changes):
    data = bytearray(FILES[format])
    for place, value in changes:
        data[int(place * len(data))] = value
    result = outcome(bytes(data))
    assert result if isinstance(result, str) else result.shape == (16, 16, 3)


@pytest.mark.filterwarnings("ignore")
def test_decompression_bomb_is_rejected_before_it_is_decoded():
    for side in (10_000, 20_000, 60_000):  # above our limit; above Pillow's own
        header = png(side, side, 8, 2, b"")[:33]
        bomb = header + png_chunk(b"IDAT", b"x\x9c") + png_chunk(b"IEND", b"")
        assert reason(bomb) == "too-many-pixels"


def test_pixel_limit_is_exact():
    data = file_of(Image.new("RGB", (30, 20)), "PNG")
    assert decode_and_resize(data, ImageOptions(size=16, max_pixels=600)).shape == (16, 16, 3)
    assert reason(data, max_pixels=599) == "too-many-pixels"


def test_pixels_without_an_8_bit_value():
    assert reason(file_of(Image.new("F", (20, 20), 0.5), "TIFF")) == "unsupported-mode"
    assert reason(file_of(Image.new("I", (20, 20), 70_000), "TIFF")) == "unsupported-mode"


def test_out_of_memory_is_no_reject(monkeypatch):
    def fail(*_args, **_options):
        raise MemoryError

    monkeypatch.setattr(images.Image, "open", fail)
    with pytest.raises(MemoryError):
        decode_and_resize(file_of(Image.fromarray(noise(9, 9)), "PNG"), OPTIONS)
