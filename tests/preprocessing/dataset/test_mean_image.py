"""The mean image: written, read, and refused when it is not the dataset's."""

import dataclasses
import io
import os

import numpy as np
import pytest

from preprocessing.dataset.info import StoredFile, write_info
from preprocessing.dataset.mean_image import encode_mean_image, read_mean_image
from preprocessing.dataset.names import MEAN_FILE
from preprocessing.errors import DatasetError
from tests.preprocessing.dataset.test_info import INFO, OLD

MEAN = np.linspace(0, 255, 48, dtype=np.float32).reshape(4, 4, 3)


def write(folder, data, info=INFO):
    """The dataset's files with a mean image of these bytes, which dataset_info.json describes."""
    (folder / MEAN_FILE).write_bytes(data)
    if info.files:
        info = dataclasses.replace(info, files={**info.files, MEAN_FILE: StoredFile.of(data)})
    write_info(folder, info)


def of_version_1(folder, mean=MEAN):
    channels = tuple(MEAN.mean(axis=(0, 1), dtype=np.float64).tolist())
    color = dataclasses.replace(OLD.color, mean_rgb=channels)
    write(folder, encode_mean_image(mean), dataclasses.replace(OLD, color=color))


def saved(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def test_round_trip(tmp_path):
    write(tmp_path, encode_mean_image(MEAN.astype(np.float64)))
    np.testing.assert_array_equal(read_mean_image(tmp_path), MEAN)
    of_version_1(tmp_path)
    np.testing.assert_array_equal(read_mean_image(tmp_path), MEAN)


@pytest.mark.parametrize(
    "data",
    [
        saved(np.zeros((5, 4, 3), np.float32)),
        saved(np.zeros((4, 4, 3), np.float64)),
        saved(np.full((4, 4, 3), np.nan, np.float32)),
        saved(np.full((4, 4, 3), 256, np.float32)),
        saved(np.array({"a": 1}, object)),
        saved(MEAN)[:-1],
        saved(MEAN)[:40],
        b"",
    ],
)
def test_other_arrays_are_refused(tmp_path, data):
    """Though their checksum is right."""
    write(tmp_path, data)
    with pytest.raises(DatasetError, match="mean_image"):
        read_mean_image(tmp_path)


@pytest.mark.parametrize("position", [0, 5, 70, 127, 128, 200, -1])
def test_one_flipped_bit(tmp_path, position):
    write(tmp_path, encode_mean_image(MEAN))
    data = bytearray((tmp_path / MEAN_FILE).read_bytes())
    data[position] ^= 1
    (tmp_path / MEAN_FILE).write_bytes(data)
    with pytest.raises(DatasetError, match="checksum"):
        read_mean_image(tmp_path)


def test_another_mean_image(tmp_path):
    write(tmp_path, encode_mean_image(MEAN))
    (tmp_path / MEAN_FILE).write_bytes(encode_mean_image(np.zeros_like(MEAN)))
    with pytest.raises(DatasetError, match="checksum"):
        read_mean_image(tmp_path)


def test_another_mean_image_in_format_version_1(tmp_path):
    """Without a checksum the color statistics tell: the mean of the means is the mean."""
    of_version_1(tmp_path, np.zeros_like(MEAN))
    with pytest.raises(DatasetError, match="expected the mean RGB"):
        read_mean_image(tmp_path)
    changed = MEAN.copy()
    changed[0, 0, 0] += 16 * 4e-5  # a sixteenth of it in the channel's mean, over all rounding
    of_version_1(tmp_path, changed)
    with pytest.raises(DatasetError, match="expected the mean RGB"):
        read_mean_image(tmp_path)


def test_a_missing_mean_image_and_a_pipe(tmp_path):
    write_info(tmp_path, INFO)
    with pytest.raises(DatasetError, match="expected the mean image"):
        read_mean_image(tmp_path)
    os.mkfifo(tmp_path / MEAN_FILE)
    with pytest.raises(DatasetError, match="expected the mean image"):
        read_mean_image(tmp_path)
