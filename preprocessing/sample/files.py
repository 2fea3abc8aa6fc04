"""The drawn images as the bytes of files, by several processes.

A few training images are no RGB JPEG although they are named so, as in ImageNet.
"""

import io
import itertools
import os
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from preprocessing.job.process_pool import in_processes
from preprocessing.monitoring.progress import ImageCount
from preprocessing.sample.drawing import draw
from preprocessing.sample.forms import CLASSES

# (class, image) of the training split -> what stands in the file named .JPEG.
ODD_IMAGES = {("circle", 0): "PNG", ("spiral", 1): "CMYK", ("dots", 2): "CMYK"}
SPLIT_CODES = {"train": 0, "validation": 1}
_CHUNK = 25  # images that a process draws at a time


def drawn(
    split: str, wanted: list[tuple[str, int]], seed: int, workers: int | None, done: ImageCount
) -> Iterator[bytes]:
    """The wanted images of a split, (class, number) each, in order, as the bytes of files."""
    tasks = [
        (split, wanted[start : start + _CHUNK], seed) for start in range(0, len(wanted), _CHUNK)
    ]
    workers = min(workers or os.cpu_count() or 1, len(tasks))
    if workers == 1:
        yield from _counted(itertools.starmap(_draw_chunk, tasks), done)
        return
    yield from _counted(in_processes(_draw_chunk, tasks, workers), done)


def _counted(chunks: Iterable[list[bytes]], done: ImageCount) -> Iterator[bytes]:
    for chunk in chunks:
        done.add(len(chunk))
        yield from chunk


def _draw_chunk(split: str, wanted: list[tuple[str, int]], seed: int) -> list[bytes]:
    return [_draw_file(split, name, number, seed) for name, number in wanted]


def _draw_file(split: str, name: str, number: int, seed: int) -> bytes:
    """One image as a file's bytes. It has a generator of its own, so it depends on no other."""
    rng = np.random.default_rng([seed, SPLIT_CODES[split], CLASSES.index(name), number])
    image = draw(name, rng)
    odd = ODD_IMAGES.get((name, number)) if split == "train" else None
    buffer = io.BytesIO()
    if odd == "PNG":
        image.save(buffer, "PNG")
    else:
        if odd == "CMYK":
            image = _to_cmyk(image)
        image.save(buffer, "JPEG", quality=int(rng.integers(75, 96)))
    return buffer.getvalue()


def _to_cmyk(image: Image.Image) -> Image.Image:
    """CMYK with as much black as possible, as it is printed (Pillow's own conversion has none)."""
    inks = 255 - np.asarray(image.convert("RGB"), np.float32)
    black = inks.min(axis=2, keepdims=True)
    inks = 255 * (inks - black) / np.maximum(255 - black, 1)
    planes = np.concatenate([inks, black], axis=2).round().astype(np.uint8)
    return Image.merge("CMYK", [Image.fromarray(planes[..., i]) for i in range(4)])
