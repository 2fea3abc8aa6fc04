"""Image files on the way to a served model, whose graph reads JPEG, PNG, GIF and BMP.

What else `preprocessing convert` takes is turned into PNG by Pillow, its pixels as they are: the
graph goes on as with any PNG, so that transparency and orientation are treated alike.
"""

from __future__ import annotations

import io
import stat
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

STDIN = "-"
MAX_BYTES = 256 << 20
SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)
# Of files that the graph does not read; the limits are those of preprocessing.images.limits.
FORMATS = {"WEBP": 40_000_000, "AVIF": 40_000_000, "TIFF": 89_478_485, "PPM": 89_478_485}
_STARTS = (
    b"RIFF",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"P1",
    b"P2",
    b"P3",
    b"P4",
    b"P5",
    b"P6",
)


class Unreadable(Exception):
    """A file that is no image, or none that may be read; str() says why in one line."""


def read(path: str) -> bytes:
    """The bytes of a file, or of standard input ("-"), as the graph reads them.

    Raises Unreadable: no such regular file, too large, damaged, or closed.
    """
    try:
        data = _bytes_of_stdin() if path == STDIN else _bytes_of_file(Path(path))
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise Unreadable(getattr(error, "strerror", None) or str(error)) from error
    if len(data) > MAX_BYTES:
        raise Unreadable(f"expected at most {MAX_BYTES} bytes, received more")
    return _as_png(data) if data.startswith(_STARTS) or data[4:12] in _AVIF else data


_AVIF = (b"ftypavif", b"ftypavis")


def _bytes_of_stdin() -> bytes:
    if sys.stdin is None or getattr(sys.stdin, "closed", False):
        raise Unreadable("standard input is closed")
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def _bytes_of_file(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):  # a named pipe would be waited for
        raise Unreadable("expected a regular file, or - for standard input")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _as_png(data: bytes) -> bytes:
    """The pixels of a WebP, AVIF, TIFF or PPM file, with its orientation, as PNG."""
    # Not for the common formats: it takes a quarter of a second.
    from PIL import ExifTags, Image, UnidentifiedImageError

    content = io.BytesIO()
    try:
        with (
            warnings.catch_warnings(action="ignore"),  # what matters is an error
            Image.open(io.BytesIO(data), formats=_known()) as image,
        ):
            width, height = image.size
            if width * height > FORMATS[image.format]:
                raise Unreadable(
                    f"expected at most {FORMATS[image.format]} pixels, received {width} x {height}"
                )
            if image.format == "TIFF" and b"\xff\xc2" in data and "jpeg" in _compression(image):
                raise Unreadable("a progressive JPEG inside of a TIFF file")
            exif = Image.Exif()
            exif[ExifTags.Base.Orientation] = _orientation(image)
            image.load()
            _in_a_png_mode(image).save(content, "PNG", compress_level=1, exif=exif)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable("no known format") from None
    except Exception as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error
    return content.getvalue()


def _orientation(image: Image.Image) -> int:
    """As `preprocessing.images.convert`: 1, as stored, where there is no EXIF or a broken one."""
    from PIL import ExifTags

    if image.format == "TIFF":  # loading turns it upright
        return 1
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - whatever is wrong with the EXIF, the image itself is good
        return 1
    return orientation if orientation in range(1, 9) else 1


def _compression(image: Image.Image) -> str:
    return str(image.info.get("compression"))


def _in_a_png_mode(image: Image.Image) -> Image.Image:
    """8 bits a channel, or 1. Raises Unreadable where that is not defined."""
    from PIL import Image

    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))  # the high byte
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("1", "L", "P", "RGB"):
        return image
    if image.mode in ("CMYK", "YCbCr", "RGBX"):
        return image.convert("RGB")
    raise Unreadable(f"no RGB value is defined for mode {image.mode}")


def _known() -> list[str]:
    from PIL import features

    avif = "avif" in features.modules and features.check("avif")
    return [name for name in FORMATS if name != "AVIF" or avif]
