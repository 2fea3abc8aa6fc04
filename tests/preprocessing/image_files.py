"""Makes image files for the tests, also such as Pillow itself cannot write."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def file_of(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def noise(height: int, width: int, low: int = 0, high: int = 255, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.integers(low, high, (height, width, 3), np.uint8, endpoint=True)


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth at most places, with edges and a little noise: compresses like a photograph."""
    cells = np.random.default_rng(seed).integers(30, 226, (5, 7, 3), np.uint8)
    smooth = Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(smooth, np.float64)
    y, x = np.mgrid[:height, :width]
    pixels = pixels + 25 * ((x // 37 + y // 53) % 2)[..., None]
    pixels += np.random.default_rng(seed).normal(0, 2, (height, width, 1))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def png(
    width: int, height: int, depth: int, color_type: int, samples: bytes, extra: bytes = b""
) -> bytes:
    """A PNG of any depth (8, 16) and color type (0 grey, 2 RGB, 4 grey+alpha, 6 RGBA).

    `samples` are the unfiltered big-endian samples, `extra` whole chunks before the data.
    """
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    stride = len(samples) // height
    rows = b"".join(b"\0" + samples[y * stride : (y + 1) * stride] for y in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def png_chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def jpeg_segment(jpeg: bytes, marker: int) -> tuple[int, int]:
    """(start, end) of the first segment of a JPEG with the marker byte."""
    position = 2
    while jpeg[position + 1] != 0xDA:
        end = position + 2 + struct.unpack_from(">H", jpeg, position + 2)[0]
        if jpeg[position + 1] == marker:
            return position, end
        position = end
    raise LookupError(f"no segment {marker:#x}")


def with_app1(jpeg: bytes, content: bytes) -> bytes:
    """The JPEG with an APP1 (EXIF) segment of any content behind its first two bytes."""
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]
