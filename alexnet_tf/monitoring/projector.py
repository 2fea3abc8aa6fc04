"""The embedding projector's files: features, class names and thumbnails of some images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.plugins import projector

from preprocessing.dataset.atomic import replacing

THUMBNAIL = 48  # pixels; a sprite of 5,000 is then 3,408 on a side, and 8,192 is the limit
FILES = ("features.bytes", "images.tsv", "sprite.png")


def write(
    directory: Path, features: np.ndarray, rows: Sequence[Sequence[str]], thumbnails: np.ndarray
) -> None:
    """Writes into an event directory; each file under a temporary name, the one that counts last.

    Args:
        features: float32 [n, units].
        rows: of each image its class, identifier, and the class answered.
        thumbnails: uint8 [n, side, side, 3].
    """
    directory.mkdir(parents=True, exist_ok=True)
    values, names, sprite = (directory / name for name in FILES)
    _write(values, features.astype("<f4").tobytes())
    head = ("class", "identifier", "answered")
    lines = ("\t".join(" ".join(cell.split()) for cell in row) for row in [head, *rows])
    _write(names, "".join(f"{line}\n" for line in lines).encode())
    with replacing(sprite) as file:  # the default level takes five times as long
        Image.fromarray(_square(thumbnails)).save(file, "PNG", compress_level=1)
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add(
        tensor_name="features", tensor_path=values.name, metadata_path=names.name
    )
    embedding.tensor_shape.extend(features.shape)
    embedding.sprite.image_path = sprite.name
    embedding.sprite.single_image_dim.extend(thumbnails.shape[1:3])
    _write(directory / "projector_config.pbtxt", str(config).encode())


def _square(thumbnails: np.ndarray) -> np.ndarray:
    """The sheet as the projector reads it: row by row, as many columns as rows."""
    count, side = thumbnails.shape[:2]
    columns = int(np.ceil(np.sqrt(count)))
    filled = np.zeros((columns**2, side, side, 3), np.uint8)
    filled[:count] = thumbnails
    grid = filled.reshape(columns, columns, side, side, 3).swapaxes(1, 2)
    return grid.reshape(columns * side, columns * side, 3)


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)
