"""Decoded images of any mode as RGB or grey.

Grey and palette images become RGB. CMYK becomes R = (255 - C)(255 - K) / 255 and so on, where an
Adobe marker says that the file's ink values are stored inverted, as libjpeg's and TensorFlow's
decoders read it. Transparency is laid over white, as a page shows it. 16-bit samples keep their
high byte. Color profiles are ignored, as in every published ImageNet result.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageChops

from preprocessing.images.limits import JPEG_FORMATS
from preprocessing.images.reject import Reject

_BAND_PIXELS = 1 << 20


def bands(top: int, bottom: int, width: int) -> Iterator[tuple[int, int]]:
    """(first, one past the last) row of bands of about a million pixels."""
    height = max(1, _BAND_PIXELS // width)
    for first in range(top, bottom, height):
        yield first, min(first + height, bottom)


def to_rgb_or_grey(image: Image.Image) -> Image.Image:
    """A decoded image of any mode as "RGB", or as "L" where that is the same.

    By bands of rows: with all its steps at once, a transparent image would take four times the
    memory of its pixels.

    Raises:
        Reject: its pixels have no defined 8-bit RGB value.
    """
    if image.mode in ("RGB", "L") and not image.has_transparency_data:
        return image
    width, height = image.size
    result = None
    for first, last in bands(0, height, width):
        band = _convert(image.crop((0, first, width, last)), image.format)
        if result is None:
            result = Image.new(band.mode, image.size)
        result.paste(band, (0, first))
    return result


def _convert(image: Image.Image, format: str | None) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and format in ("PNG", "PPM")):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    if image.mode == "CMYK" and format in JPEG_FORMATS and "adobe" not in image.info:
        image = ImageChops.invert(image)  # Pillow takes every CMYK JPEG for an inverted one
    if image.mode in ("1", "P", "CMYK", "YCbCr", "RGBX"):
        return image.convert("RGB")
    raise Reject("unsupported-mode", f"no RGB value is defined for mode {image.mode}")
