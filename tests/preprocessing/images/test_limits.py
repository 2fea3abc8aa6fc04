"""Small files that stand for gigabytes or for hours are rejects; large images fit in memory."""

import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from preprocessing.images import limits
from preprocessing.images.convert import ImageOptions, Reject, decode_and_resize
from tests.preprocessing.image_files import file_of, png_chunk

SMALL = ImageOptions(size=16)
pytestmark = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")


def reason(data: bytes) -> str:
    with pytest.raises(Reject) as caught:
        decode_and_resize(data, SMALL)
    assert "\n" not in str(caught.value)
    return caught.value.reason


def webp_header(side: int) -> bytes:
    """34 bytes: a lossless WebP file that says how large it is, and hardly more."""
    body = b"\x2f" + struct.pack("<I", (side - 1) | (side - 1) << 14) + bytes(9)
    chunk = b"VP8L" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def gif_of_a_large_frame(side: int) -> bytes:
    """A screen of 10 x 10, on which the first frame is side x side."""
    data = bytearray(file_of(Image.new("P", (10, 10)), "GIF"))
    frame = data.index(b"\x2c\0\0\0\0\x0a\0\x0a\0")
    struct.pack_into("<HH", data, frame + 5, side, side)
    return bytes(data)


def of_many_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan stands there again and again."""
    data = file_of(Image.new("RGB", (side, side), (9, 99, 200)), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * scans + data[-2:]


def large_png(side: int, color_type: int, depth: int, extra: bytes = b"") -> bytes:
    """A PNG of zeros, of any color type: a few kilobytes."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color_type]
    header = struct.pack(">IIBBBBB", side, side, depth, color_type, 0, 0, 0)
    data = zlib.compress(bytes(side * (1 + side * channels * depth // 8)), 1)
    chunks = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", data)
    return b"\x89PNG\r\n\x1a\n" + chunks + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [7_000, 10_000, 16_000])
def test_a_webp_of_34_bytes(side):
    data = webp_header(side)
    assert len(data) == 34
    assert reason(data) == "too-many-pixels"


@pytest.mark.parametrize("side", [10_000, 30_000, 65_535])  # above our limit; above Pillow's own
def test_a_gif_whose_frame_is_larger_than_its_screen(side):
    assert reason(gif_of_a_large_frame(side)) == "too-many-pixels"


def test_each_format_has_its_limit(monkeypatch):
    monkeypatch.setitem(limits.MOST_PIXELS, "WEBP", 600)
    image = Image.new("RGB", (30, 20))
    for format in ("PNG", "WEBP"):
        assert decode_and_resize(file_of(image, format), SMALL).shape == (16, 16, 3)
    image = Image.new("RGB", (30, 21))
    assert decode_and_resize(file_of(image, "PNG"), SMALL).shape == (16, 16, 3)
    assert reason(file_of(image, "WEBP")) == "too-many-pixels"


def test_a_jpeg_of_thousands_of_scans():
    assert reason(of_many_scans(3_000, 2_000)) == "too-much-work"
    small = of_many_scans(16, 2_000)  # as many scans, and no work
    np.testing.assert_array_equal(
        decode_and_resize(small, SMALL), decode_and_resize(of_many_scans(16, 0), SMALL)
    )


def test_the_limit_of_scans_is_exact(monkeypatch):
    data = of_many_scans(16, 5)
    scans = data.count(b"\xff\xda")
    monkeypatch.setattr(limits, "MAX_SCANNED_PIXELS", scans * 16 * 16)
    assert decode_and_resize(data, SMALL).shape == (16, 16, 3)
    monkeypatch.setattr(limits, "MAX_SCANNED_PIXELS", scans * 16 * 16 - 1)
    assert reason(data) == "too-much-work"


def test_what_looks_like_scans_elsewhere_does_not_count(monkeypatch):
    """Cameras hang films behind the image, and put thumbnails and anything else before it."""
    image = file_of(Image.new("RGB", (64, 64), (9, 99, 200)), "JPEG")
    scans = b"\xff\xda\0\x08" * 1000
    before = b"\xff\xe5" + struct.pack(">H", len(scans) + 2) + scans
    data = image[:2] + before + image[2:] + scans
    monkeypatch.setattr(limits, "MAX_SCANNED_PIXELS", 64 * 64)  # of one scan
    np.testing.assert_array_equal(decode_and_resize(data, SMALL), decode_and_resize(image, SMALL))


def test_a_progressive_jpeg_inside_of_a_tiff():
    image = Image.new("RGB", (64, 64), (9, 99, 200))
    tiff = file_of(image, "TIFF", compression="jpeg")
    assert decode_and_resize(tiff, SMALL).shape == (16, 16, 3)
    assert tiff.count(b"\xff\xc0") == 1
    assert reason(tiff.replace(b"\xff\xc0", b"\xff\xc2")) == "unsupported-mode"


MEASURE = """
import os, sys
from preprocessing.images.convert import ImageOptions, decode_and_resize
for path in sys.argv[1:]:
    data = open(path, "rb").read()
    child = os.fork()
    if child == 0:
        decode_and_resize(data, ImageOptions(size=16))
        os._exit(0)
    _, status, used = os.wait4(child, 0)
    before = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    print(status, 1024 * used.ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_decoding_takes_eight_bytes_a_pixel(tmp_path):
    """The decoded image and what is made of it, four bytes a pixel each; WebP twice as much.

    A transparent image took twenty, 1.7 GB at the pixel limit.
    """
    side = 4_000
    webp = file_of(Image.new("RGBA", (side, side), (9, 99, 200, 7)), "WEBP", lossless=True)
    palette = png_chunk(b"PLTE", bytes(768)) + png_chunk(b"tRNS", bytes(256))
    files = {
        "rgba": (8, large_png(side, 6, 8)),
        "grey and alpha": (8, large_png(side, 4, 8)),
        "palette": (8, large_png(side, 3, 8, palette)),
        "16 bits": (8, large_png(side, 0, 16)),
        "rgb": (8, large_png(side, 2, 8)),
        "webp": (16.5, webp),
    }
    for name, (_, data) in files.items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-c", MEASURE, *(tmp_path / name for name in files)]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    output = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=True
    ).stdout
    for (name, (most, _)), line in zip(files.items(), output.splitlines(), strict=True):
        status, used = map(int, line.split())
        assert status == 0, name
        # Less than a source and its result of four bytes each and bands of a megapixel.
        assert used < most * side**2 + 40e6, (name, used / side**2)
