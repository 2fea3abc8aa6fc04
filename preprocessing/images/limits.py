"""What is refused before it is decoded: a small file can stand for gigabytes, or for hours.

With these limits decoding an image takes about 1 GB of memory at most, whatever its format.
"""

from __future__ import annotations

import re

from PIL import Image, features

from preprocessing.images.reject import Reject

# Only what these plugins read is ever parsed: Pillow would also start Ghostscript for EPS, ...
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
if "avif" in features.modules and features.check("avif"):
    FORMATS = (*FORMATS, "AVIF")

JPEG_FORMATS = ("JPEG", "MPO")  # MPO: a JPEG with further images behind the first

# An image of Pillow's own warning limit, 1024^3 / 4 / 3 pixels, takes 360 MB once decoded.
MAX_PIXELS = 89_478_485

# libwebp's and libavif's decoders hold several whole copies of an image (measured: 16 and 14 bytes
# a pixel, where other formats take 8), so these have a limit of their own.
MOST_PIXELS = {"WEBP": 40_000_000, "AVIF": 40_000_000}

# A JPEG of many scans is decoded once for each of them. Progressive files have 10 to 18, so this is
# the work of a progressive image at the pixel limit; a small image may have thousands.
MAX_SCANNED_PIXELS = 20 * MAX_PIXELS

_SCAN, _END = b"\xda", b"\xd9"
_START_OF_SCAN, _PROGRESSIVE = b"\xff\xda", b"\xff\xc2"
# In compressed data 0xFF is followed by 0 or a restart marker, which ends nothing.
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")


def check_limits(image: Image.Image, data: bytes, max_pixels: int) -> None:
    """Checks an image that was opened and not decoded.

    Args:
        image: whose header was read; data: the whole file.
        max_pixels: the user's limit.

    Raises:
        Reject: it is too large, or would take too long.
    """
    width, height = image.size
    limit = min(max_pixels, MOST_PIXELS.get(image.format, max_pixels))
    if width * height > limit:
        raise Reject(
            "too-many-pixels",
            f"{width} x {height} is more than {limit} pixels, the limit for {image.format}",
        )
    if image.format in JPEG_FORMATS:
        most = MAX_SCANNED_PIXELS // (width * height)
        # The first count is fast, and finds what stands in thumbnails and behind the image too.
        if data.count(_START_OF_SCAN) > most and _has_more_scans(data, most):
            raise Reject("too-much-work", f"more than {most} scans of {width} x {height} pixels")
    in_tiff = image.format == "TIFF" and "jpeg" in str(image.info.get("compression"))
    if in_tiff and _PROGRESSIVE in data:  # nobody writes these, and nothing bounds their scans
        raise Reject("unsupported-mode", "a progressive JPEG inside of a TIFF file")


def _has_more_scans(jpeg: bytes, most: int) -> bool:
    """Whether the image itself, which ends at its end marker, has more than so many scans."""
    scans, position = 0, 2
    while (marker := _MARKER.search(jpeg, position)) and marker[1] != _END:
        position = marker.end()
        if position + 2 > len(jpeg):
            break
        position += int.from_bytes(jpeg[position : position + 2])  # over the segment
        scans += marker[1] == _SCAN
        if scans > most:
            return True
    return False
