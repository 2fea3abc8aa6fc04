"""Draws a small image set and packs it exactly as ILSVRC2012 is distributed.

So whatever is tried on it (`make demo`) goes the very way that ImageNet goes: a training archive
of one archive per class, a flat validation archive, and a development kit.

The same arguments give the same bytes (with the same versions of NumPy, Pillow and SciPy),
however many processes draw.
"""

import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from preprocessing.errors import DatasetError
from preprocessing.monitoring.progress import ImageCount, ProgressDisplay
from preprocessing.sample.devkit import WNIDS, write_devkit
from preprocessing.sample.files import SPLIT_CODES, drawn
from preprocessing.sample.forms import CLASSES
from preprocessing.sample.members import add

TRAIN_ARCHIVE = "ILSVRC2012_img_train.tar"
VALIDATION_ARCHIVE = "ILSVRC2012_img_val.tar"
DEVKIT_ARCHIVE = "ILSVRC2012_devkit_t12.tar.gz"

MAX_PER_CLASS = 10_000  # a class's archive is made in memory


def draw_dataset(
    output: str | os.PathLike,
    train_per_class: int = 300,
    validation_per_class: int = 50,
    seed: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
) -> None:
    """Writes the three archives into `output`, each under a temporary name first.

    Args:
        output: a directory; made if it does not exist.
        train_per_class, validation_per_class: images of each of the ten classes.
        seed: of everything drawn, 0 or more.
        workers: processes that draw; by default one per processor.
        overwrite: replace archives that are there.

    Raises:
        DatasetError: a number out of range, or an archive exists.
        JobError: a process died.
    """
    for what, count in (("training", train_per_class), ("validation", validation_per_class)):
        if not 1 <= count <= MAX_PER_CLASS:
            raise DatasetError(
                f"expected 1 to {MAX_PER_CLASS} {what} images per class, received {count}"
            )
    if seed < 0:
        raise DatasetError(f"expected a seed of 0 or more, received {seed}")
    output = Path(output)
    paths = [output / name for name in (TRAIN_ARCHIVE, VALIDATION_ARCHIVE, DEVKIT_ARCHIVE)]
    existing = [str(path) for path in paths if path.exists()]
    if existing and not overwrite:
        raise DatasetError(
            f"expected no archives in {output}, found {', '.join(existing)}; "
            "choose another --output, or replace them with --overwrite"
        )
    output.mkdir(parents=True, exist_ok=True)
    labels = np.repeat(np.arange(len(CLASSES)), validation_per_class)
    np.random.default_rng([seed, len(SPLIT_CODES)]).shuffle(labels)
    train = [(name, number) for name in CLASSES for number in range(train_per_class)]
    numbers = [0] * len(CLASSES)
    validation = []
    for label in labels:
        validation.append((CLASSES[label], numbers[label]))
        numbers[label] += 1
    done = ImageCount()
    with (
        _written(paths) as files,
        ProgressDisplay(len(train) + len(validation), 0, done),
    ):
        images = drawn("train", train, seed, workers, done)
        _write_train_archive(files[0], images, train_per_class)
        images = drawn("validation", validation, seed, workers, done)
        _write_validation_archive(files[1], images)
        write_devkit(files[2], labels + 1, train_per_class)


@contextmanager
def _written(paths: list[Path]) -> Iterator[list[BinaryIO]]:
    """Files to write; they get their names when all are complete, and vanish otherwise."""
    temporary = [path.with_name(f".{path.name}.{os.getpid()}") for path in paths]
    files = []
    try:
        for path in temporary:
            files.append(path.open("wb"))
        yield files
        for file in files:
            file.flush()
            os.fsync(file.fileno())
        for path, final in zip(temporary, paths, strict=True):
            path.replace(final)
    finally:
        for file in files:
            file.close()
        for path in temporary:
            path.unlink(missing_ok=True)


def _write_train_archive(file: BinaryIO, images: Iterator[bytes], per_class: int) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in CLASSES:
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w", format=tarfile.GNU_FORMAT) as class_archive:
                for number in range(per_class):
                    add(class_archive, f"{WNIDS[name]}_{number + 1}.JPEG", next(images))
            add(archive, f"{WNIDS[name]}.tar", inner.getvalue())


def _write_validation_archive(file: BinaryIO, images: Iterator[bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for number, image in enumerate(images, start=1):
            add(archive, f"ILSVRC2012_val_{number:08d}.JPEG", image)
