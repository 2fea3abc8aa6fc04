"""A contact sheet: many images side by side, each over its class name."""

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from preprocessing.dataset.printable import printable
from preprocessing.inspection.fonts import font_of

TILE = 128  # pixels; side of an image on the sheet
_GAP = 8
_TEXT_SIZE = 12
_PAPER, _INK = (250, 250, 248), (40, 40, 40)


def draw_contact_sheet(
    images: Sequence[np.ndarray], names: Sequence[str], columns: int | None = None
) -> bytes:
    """Draws the images row by row.

    Args:
        images: uint8 [size, size, 3] each, RGB.
        names: what to write below each; a name that is too long is cut, ending in "…".
        columns: images in a row; by default the sheet is about as wide as it is high.

    Returns:
        The bytes of a PNG file.

    Raises:
        ValueError: no images, or not as many names.
    """
    if not images or len(images) != len(names):
        raise ValueError(
            "Expected at least one image, and a name for each. "
            f"Received: {len(images)} images, {len(names)} names"
        )
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    width, height = TILE + _GAP, TILE + _TEXT_SIZE + 2 * _GAP
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, (image, name) in enumerate(zip(images, names, strict=True)):
        x, y = _GAP + index % columns * width, _GAP + index // columns * height
        tile = Image.fromarray(image).resize((TILE, TILE), _filter(image.shape[0]))
        sheet.paste(tile, (x, y))
        font = font_of(name, _TEXT_SIZE)
        pen.text((x, y + TILE + 2), _fitting(name, font), _INK, font)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _filter(size: int) -> Image.Resampling:
    """Small images are enlarged pixel by pixel, so that one sees what is in the dataset."""
    return Image.Resampling.NEAREST if size < TILE else Image.Resampling.LANCZOS


def _fitting(name: str, font: ImageFont.FreeTypeFont) -> str:
    # One line, and not thousands of characters to measure.
    name = printable(" ".join(name.split()))[:TILE]
    shown = name
    while shown and font.getlength(shown) > TILE:
        name = name[:-1]
        shown = name.rstrip(" ,") + "…"
    return shown
