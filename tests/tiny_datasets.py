"""Small dataset directories for tests, written without Beam."""

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image

from preprocessing.dataset.example import Record, encode_example
from preprocessing.dataset.info import (
    ClassName,
    ColorStatistics,
    DatasetInfo,
    Shard,
    StoredFile,
    write_info,
)
from preprocessing.dataset.names import shard_name
from preprocessing.dataset.tfrecord import frame
from preprocessing.job.other_files import other_files


def colored_squares(label: int, classes: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 [size, size, 3]: noise, with a bright square whose place tells the class."""
    image = rng.integers(0, 80, (size, size, 3), dtype=np.uint8)
    side = size // 3
    angle = 2 * np.pi * label / classes
    y, x = (int((size - side) * (0.5 + 0.5 * f(angle))) for f in (np.sin, np.cos))
    image[y : y + side, x : x + side] = rng.integers(150, 256, 3, dtype=np.uint8)
    return image


def write(
    directory: Path,
    *,
    classes: int = 4,
    counts: dict[str, int] | None = None,
    size: int = 72,
    encoding: str = "raw",
    shards: int = 3,
    seed: int = 0,
) -> DatasetInfo:
    """Writes a dataset of `counts` images a split; labels go round, file names number them."""
    rng = np.random.default_rng(seed)
    directory.mkdir(parents=True, exist_ok=True)
    names = tuple(ClassName(f"n{i:08d}", f"class {i}") for i in range(classes))
    splits, pixels = {}, []
    for split, count in (counts or {"train": 20, "validation": 10}).items():
        rows = []
        for index in range(shards):
            content = io.BytesIO()
            mine = range(index, count, shards)
            for number in mine:
                label = number % classes
                image = colored_squares(label, classes, size, rng)
                if split == "train":
                    pixels.append(image)
                record = Record(
                    encoded=encode(image, encoding),
                    format=encoding,
                    height=size,
                    width=size,
                    label=label,
                    synset=names[label].synset,
                    text=names[label].text,
                    filename=f"{split}_{number}",
                )
                content.write(frame(encode_example(record)))
            data = content.getvalue()
            name = shard_name(split, index, shards)
            (directory / name).write_bytes(data)
            checksum = hashlib.sha256(data).hexdigest()
            rows.append(Shard(name, len(mine), len(data), checksum))
        splits[split] = tuple(rows)
    mean = np.mean(np.asarray(pixels, np.float64), axis=0)
    files = other_files(mean, [])
    for name, data in files.items():
        (directory / name).write_bytes(data)
    info = DatasetInfo(
        source="folder",
        image_size=size,
        encoding=encoding,
        jpeg_quality=95 if encoding == "jpeg" else None,
        resize_filter="area",
        seed=seed,
        classes=names,
        splits=splits,
        color=_color(np.asarray(pixels, np.float64).reshape(-1, 3)),
        files={name: StoredFile.of(data) for name, data in files.items()},
    )
    write_info(directory, info)
    return info


def encode(image: np.ndarray, encoding: str) -> bytes:
    if encoding == "raw":
        return image.tobytes()
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95)
    return file.getvalue()


def _color(pixels: np.ndarray) -> ColorStatistics:
    values, vectors = np.linalg.eigh(np.cov(pixels.T, bias=True))
    return ColorStatistics(
        mean_rgb=tuple(pixels.mean(axis=0)),
        stddevs=tuple(np.sqrt(np.maximum(values, 0))),
        eigenvectors=tuple(tuple(row) for row in vectors),
    )
