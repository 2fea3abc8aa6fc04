"""The training split's mean image: mean_image.npy, written and read."""

import io
import os
from pathlib import Path

import numpy as np

from preprocessing.dataset.info import read_info
from preprocessing.dataset.names import MEAN_FILE
from preprocessing.errors import DatasetError


def encode_mean_image(mean: np.ndarray) -> bytes:
    """mean_image.npy's bytes, of a float [N, N, 3] in RGB, 0..255."""
    buffer = io.BytesIO()
    np.save(buffer, mean.astype(np.float32), allow_pickle=False)
    return buffer.getvalue()


def read_mean_image(directory: str | os.PathLike) -> np.ndarray:
    """Reads the training split's mean image: float32 [N, N, 3], RGB, 0..255.

    Raises:
        DatasetError: the file is missing, damaged, or does not fit dataset_info.json.
    """
    size = read_info(directory).image_size
    path = Path(directory) / MEAN_FILE
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise ValueError(f"expected version 1.0 of the format, received {version}")
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if shape != (size, size, 3) or dtype != np.float32:
                raise ValueError(f"expected float32 {(size, size, 3)}, received {dtype} {shape}")
        mean = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DatasetError(f"cannot read the mean image {path}: {error}") from error
    if not np.isfinite(mean).all() or mean.min() < 0 or mean.max() > 255:
        raise DatasetError(f"expected values of 0..255 in {path}, received others")
    return mean
