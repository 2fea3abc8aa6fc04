"""The training split's mean image: mean_image.npy, written and read."""

import io
import os

import numpy as np

from preprocessing.dataset.info import DatasetInfo, StoredFile, read_info
from preprocessing.dataset.names import INFO_FILE, MEAN_FILE
from preprocessing.errors import DatasetError

_HEADER_BYTES = 1 << 16  # of an .npy file, at most
_ROUNDING = 255 * 2.0**-24  # most that a value of 0..255 changes by becoming float32


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
    info = read_info(directory)
    path = os.path.join(os.fspath(directory), MEAN_FILE)
    if not os.path.isfile(path):  # a pipe would be waited for
        raise DatasetError(f"expected the mean image {path}, found none; convert the dataset again")
    try:
        with open(path, "rb") as file:
            data = file.read(_HEADER_BYTES + 4 * 3 * info.image_size**2 + 1)
    except OSError as error:
        raise DatasetError(f"cannot read the mean image {path}: {error}") from error
    try:
        return parse_mean_image(data, info)
    except ValueError as error:
        raise DatasetError(
            f"the mean image {path} is damaged: {error}; fetch or convert the dataset again"
        ) from error


def parse_mean_image(data: bytes, info: DatasetInfo) -> np.ndarray:
    """The inverse of encode_mean_image: float32 [N, N, 3].

    Raises:
        ValueError: the bytes are not those that `info` describes.
    """
    stored = info.files.get(MEAN_FILE)
    if stored is not None and StoredFile.of(data) != stored:
        raise ValueError(f"its checksum is not that of {INFO_FILE}")
    mean = _parse_array(data, info.image_size)
    if not np.isfinite(mean).all() or mean.min() < 0 or mean.max() > 255:
        raise ValueError("expected values of 0..255, received others")
    if stored is None:  # format version 1: at least the channels' means are known
        channels = mean.mean(axis=(0, 1), dtype=np.float64)
        if np.abs(channels - info.color.mean_rgb).max() > _ROUNDING:
            raise ValueError(
                f"expected the mean RGB {info.color.mean_rgb} of {INFO_FILE}, "
                f"received {tuple(channels.tolist())}"
            )
    return mean


def _parse_array(data: bytes, size: int) -> np.ndarray:
    try:
        file = io.BytesIO(data)
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"expected version 1.0 of the format, received {version}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if shape != (size, size, 3) or dtype != np.float32:
            raise ValueError(f"expected float32 {(size, size, 3)}, received {dtype} {shape}")
        return np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # NumPy's parser of headers raises several kinds
        raise ValueError(str(error)) from error
