"""Many small images as one: contact sheets, sprites, and first-layer kernels (Figure 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WHITE, INK = 255, 34
COLUMNS = 16  # of kernels in the paper's Figure 3
LABEL = 18  # pixels, the height of a line that names a tower


def tile(images: np.ndarray, columns: int, gap: int = 1, fill: int = WHITE) -> np.ndarray:
    """uint8 [rows, …, 3] sheet of images [n, h, w, 3], row by row; `gap` pixels between them."""
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    sheet_shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, channels)
    sheet = np.full(sheet_shape, fill, images.dtype)
    for index, image in enumerate(images):
        y, x = index // columns * (height + gap), index % columns * (width + gap)
        sheet[y : y + height, x : x + width] = image
    return sheet


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    """Each pixel as factor×factor pixels."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def kernel_images(kernel: np.ndarray) -> np.ndarray:
    """uint8 [n, h, w, 3] of a kernel [h, w, 3, n]: mid-grey is 0, the largest |weight| 0 or 255.

    Every kernel has its own scale, so that weak ones can be seen, too.
    """
    kernels = np.moveaxis(kernel.astype(np.float64), -1, 0)
    largest = np.abs(kernels).max(axis=(1, 2, 3), keepdims=True)
    scaled = kernels / np.where(largest > 0, largest, 1.0)
    return np.round(127.5 + 127.5 * scaled).astype(np.uint8)


def figure_3(
    towers: list[np.ndarray], factor: int = 1, labels: Sequence[str] = ("tower a", "tower b")
) -> np.ndarray:
    """The first layer's kernels, tower a above tower b with a wider gap between (Figure 3).

    Args:
        towers: of each the kernel [h, w, 3, n].
        labels: what stands above each of two towers; none for no such lines.

    Returns uint8 [height, width, 3].
    """
    sheets = []
    for number, kernel in enumerate(towers):
        images = np.stack([enlarge(image, factor) for image in kernel_images(kernel)])
        sheet = tile(images, _columns(len(images)), gap=factor)
        if sheets:
            sheets.append(np.full((3 * factor, sheet.shape[1], 3), WHITE, np.uint8))
        if labels and len(towers) > 1:
            sheets.append(_label(labels[number], sheet.shape[1]))
        sheets.append(sheet)
    return np.concatenate(sheets)


def _label(text: str, width: int) -> np.ndarray:
    """uint8 [LABEL, width, 3]: a line of text on white."""
    line = Image.new("RGB", (width, LABEL), (WHITE,) * 3)
    font = ImageFont.load_default(size=LABEL - 5)
    ImageDraw.Draw(line).text((0, 0), text, (INK,) * 3, font)
    return np.asarray(line)


def _columns(count: int) -> int:
    """The most, up to the paper's, that leave no hole in the last row; or the paper's."""
    even = [n for n in range(COLUMNS // 2, COLUMNS + 1) if count % n == 0]
    return max(even, default=min(COLUMNS, count))


def thumbnails(images: np.ndarray, side: int) -> np.ndarray:
    """uint8 [n, side, side, 3] of uint8 images [n, N, N, 3]: means over equal parts."""
    edges = np.linspace(0, images.shape[1], side + 1).astype(int)
    sums = np.add.reduceat(images.astype(np.float32), edges[:-1], axis=1)
    sums = np.add.reduceat(sums, edges[:-1], axis=2)
    sizes = np.diff(edges).clip(1)
    return np.round(sums / (sizes[:, None] * sizes)[None, :, :, None]).astype(np.uint8)
