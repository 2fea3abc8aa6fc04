"""One image: encoded bytes of any common format -> RGB pixels of one size -> JPEG or raw bytes.

Everything here is pure: the same bytes and options give the same result, in any process. What a
file *is* is told by its content, never by its name: ImageNet has a PNG and CMYK images that are
named .JPEG.

Geometry: the kept region is the central square, side s = min(width, height), at the real-valued
offsets ((width - s) / 2, (height - s) / 2). It is resampled to size x size in one step, which is
"short side to 256, then the central 256 x 256" without resampling what is thrown away.
"""

import io
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from preprocessing.images.area import shrink_by_area
from preprocessing.images.color import bands, to_rgb_or_grey
from preprocessing.images.limits import FORMATS, JPEG_FORMATS, MAX_PIXELS, check_limits
from preprocessing.images.reject import Reject

# Where an image has to grow, there is nothing to average, and "area" means bicubic: the rule of
# cuda-convnet2's own tool (make-data/pyext/src/pyext.cpp: INTER_AREA if the scale is below 1,
# INTER_CUBIC above). Pillow's BOX is not used: see area.py.
FILTERS = {
    "area": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

# A JPEG is decoded at 1/2, 1/4 or 1/8 of its size (libjpeg's scaled inverse DCT) only as long as
# the kept square still has this many times the wanted side, so that our own filter does the rest.
# Measured on 81 photographs 5 to 8 times too large: 30 % less time, 46 dB from the unscaled way
# (36-39 dB at worst); a margin of 1 would save 40 %, at 38 dB (27 dB at worst); of 4, 15 %.
DRAFT_MARGIN = 2

# EXIF orientation -> the transposition that turns the stored image upright.
ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class ImageOptions:
    """How every image of a dataset is converted.

    Args:
        size: side of the square result, in pixels.
        filter: "area" (mean of the covered area; bicubic where an image has to grow),
            "bilinear", "bicubic" or "lanczos" (Pillow's, antialiased).
        encoding: "jpeg", or "raw" for the uint8 pixels themselves, row by row, RGB.
        quality: of the JPEG, 1..100.
        apply_exif: turn the image as its EXIF orientation says. ImageNet is used without.
        max_pixels: an image of more pixels is rejected before it is decoded.

    Raises:
        ValueError: an argument out of range.
    """

    size: int = 256
    filter: str = "area"
    encoding: Literal["jpeg", "raw"] = "jpeg"
    quality: int = 95
    apply_exif: bool = False
    max_pixels: int = MAX_PIXELS

    def __post_init__(self):
        if not 1 <= self.size <= 4096:
            raise ValueError(f"Expected an image size from 1 to 4096. Received: size={self.size}")
        if self.filter not in FILTERS:
            raise ValueError(
                f"Expected one of {', '.join(FILTERS)}. Received: filter={self.filter}"
            )
        if self.encoding not in ("jpeg", "raw"):
            raise ValueError(f"Expected jpeg or raw. Received: encoding={self.encoding}")
        if not 1 <= self.quality <= 100:
            raise ValueError(
                f"Expected a JPEG quality from 1 to 100. Received: quality={self.quality}"
            )
        if not 1 <= self.max_pixels <= MAX_PIXELS:
            raise ValueError(
                f"Expected a pixel limit from 1 to {MAX_PIXELS}. "
                f"Received: max_pixels={self.max_pixels}"
            )


def decode_and_resize(data: bytes, options: ImageOptions) -> np.ndarray:
    """The central square of an encoded image, as pixels.

    Args:
        data: the bytes of a JPEG, PNG, GIF (its first frame), BMP, WebP, TIFF, PPM or (where Pillow
            was built with libavif) AVIF file.
        options: size, filter, orientation and pixel limit.

    Returns:
        uint8 [size, size, 3], RGB, 0..255; perhaps not writable.

    Raises:
        Reject: the bytes are no image, or a damaged, unsupported or too large one.
    """
    image, square, orientation = decode(data, options)
    pixels = resize(image, square, options)
    if orientation != 1:  # turning the finished square is cheaper, and it is the same square
        pixels = np.asarray(Image.fromarray(pixels).transpose(ORIENTATIONS[orientation]))
    return pixels


def encode(pixels: np.ndarray, options: ImageOptions) -> bytes:
    """uint8 [size, size, 3] -> the bytes of a record: JPEG (4:2:0) or the pixels themselves.

    Raises:
        ValueError: pixels of another shape or dtype.
    """
    if pixels.dtype != np.uint8 or pixels.shape != (options.size, options.size, 3):
        raise ValueError(
            f"Expected uint8 [{options.size}, {options.size}, 3]. "
            f"Received: {pixels.dtype} {list(pixels.shape)}"
        )
    if options.encoding == "raw":
        return pixels.tobytes()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=options.quality)
    return buffer.getvalue()


def decode(
    data: bytes, options: ImageOptions
) -> tuple[Image.Image, tuple[float, float, float], int]:
    """(RGB or grey image, (left, top, side) of its square, orientation 1..8); raises Reject."""
    if not data:
        raise Reject("empty", "the file has no bytes")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        check_limits(image, data, options.max_pixels)
        orientation = _orientation(image) if options.apply_exif else 1
        drafted = None
        if image.format in JPEG_FORMATS:
            drafted = image.draft(None, (DRAFT_MARGIN * options.size,) * 2)
        image.load()
        # The source's extent in pixels of what was decoded: a reduced image is rounded up, and
        # a TIFF is turned upright by being loaded.
        width, height = drafted[1][2:] if drafted is not None else image.size
        image = to_rgb_or_grey(image)
    except (Reject, MemoryError):  # being out of memory says nothing about the image
        raise
    except UnidentifiedImageError:
        raise Reject("not-an-image", f"no known format; begins with {data[:8].hex()}") from None
    except Image.DecompressionBombError as error:
        raise Reject("too-many-pixels", str(error)) from error
    except Exception as error:  # Pillow's plugins raise nearly everything on damaged bytes
        reason = "truncated" if "truncated" in str(error).lower() else "undecodable"
        raise Reject(reason, f"{type(error).__name__}: {error}") from error
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return image, (left, top, side), orientation


def resize(
    image: Image.Image, square: tuple[float, float, float], options: ImageOptions
) -> np.ndarray:
    """(left, top, side) of an "RGB" or "L" image -> uint8 [size, size, 3]."""
    left, top, side = square
    if options.filter == "area" and side >= options.size:
        box = (int(left), int(top), math.ceil(left + side), math.ceil(top + side))
        pixels = _array(image, box)
        pixels = shrink_by_area(pixels, left - box[0], top - box[1], side, options.size)
    else:
        box = (left, top, left + side, top + side)
        image = image.resize((options.size, options.size), FILTERS[options.filter], box=box)
        pixels = np.asarray(image).reshape(options.size, options.size, -1)
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


def _array(image: Image.Image, box: tuple[int, int, int, int]) -> np.ndarray:
    """uint8 [height, width, 3 or 1] of a box, copied by bands: at once would need it twice more."""
    left, top, right, bottom = box
    pixels = np.empty((bottom - top, right - left, len(image.getbands())), np.uint8)
    for first, last in bands(top, bottom, right - left):
        band = np.asarray(image.crop((left, first, right, last)))
        pixels[first - top : last - top] = band.reshape(last - first, right - left, -1)
    return pixels


def _orientation(image: Image.Image) -> int:
    """EXIF orientation of an opened image; 1 (as stored) if it has none or its EXIF is broken."""
    if image.format == "TIFF":  # its orientation is part of the format: Pillow has applied it
        return 1
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - whatever is wrong with the EXIF, the image itself is good
        return 1
    return orientation if orientation in ORIENTATIONS else 1
