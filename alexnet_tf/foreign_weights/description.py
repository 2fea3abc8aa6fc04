"""What stands for the dataset of imported weights, whose images are not here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alexnet_tf.errors import ConfigError
from preprocessing.dataset.info import (
    ClassName,
    ColorStatistics,
    DatasetInfo,
    Shard,
    StoredFile,
    write_info,
)
from preprocessing.dataset.mean_image import encode_mean_image
from preprocessing.dataset.names import MEAN_FILE, OTHER_FILES, shard_name

MAX_BYTES = 16 << 20  # of a file of names
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def write_description(
    directory: Path, classes: Sequence[ClassName], image_size: int, mean_rgb: Sequence[float]
) -> None:
    """dataset_info.json with an empty training split, and a mean image of one color."""
    mean = encode_mean_image(np.full((image_size, image_size, 3), mean_rgb, np.float32))
    (directory / MEAN_FILE).write_bytes(mean)
    shard = Shard(shard_name("train", 0, 1), 0, 0, hashlib.sha256(b"").hexdigest())
    (directory / shard.name).write_bytes(b"")
    info = DatasetInfo(
        source="imported",
        image_size=image_size,
        encoding="jpeg",
        jpeg_quality=None,
        resize_filter="bilinear",  # as torchvision's and Caffe's own tools resize
        seed=0,
        classes=tuple(classes),
        splits={"train": (shard,)},
        color=ColorStatistics(tuple(map(float, mean_rgb)), (0.0, 0.0, 0.0), IDENTITY),
        files={**dict.fromkeys(OTHER_FILES, StoredFile.of(b"")), MEAN_FILE: StoredFile.of(mean)},
    )
    write_info(directory, info)


def read_classes(path: Path, count: int) -> list[ClassName]:
    """Names from a text file in UTF-8: a line for each class, "name" or "identifier<tab>name".

    Raises ConfigError: no such file, or another number of lines than `count`.
    """
    if not os.path.isfile(path) or os.path.getsize(path) > MAX_BYTES:
        raise ConfigError(
            f"--classes: expected a text file, a line for each class, received {path}"
        )
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--classes: cannot read {path}: {error}") from error
    parts = [line.partition("\t") for line in lines if line.strip()]
    if len(parts) != count:
        raise ConfigError(
            f"--classes: expected {count} lines in {path}, one for each class of the weights,"
            f" received {len(parts)}"
        )
    return [ClassName(first.strip(), (rest or first).strip()) for first, _, rest in parts]


def numbered(count: int) -> list[ClassName]:
    """Names for classes that have none."""
    return [ClassName(f"class-{number:04}", f"class {number}") for number in range(count)]
