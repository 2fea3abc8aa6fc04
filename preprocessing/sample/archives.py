"""Draws a small image set and packs it exactly as ILSVRC2012 is distributed.

So whatever is tried on it (`make demo`) goes the very way that ImageNet goes: a training archive
of one archive per class, a flat validation archive, and a development kit whose `meta.mat` maps
ILSVRC2012_IDs, which are not in the order of the WNIDs, to classes. A few training images are
no RGB JPEG although they are named so, as in ImageNet.

The same arguments give the same bytes (with the same versions of NumPy, Pillow and SciPy),
however many processes draw.
"""

import gzip
import io
import itertools
import os
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import scipy.io
from PIL import Image

from preprocessing.errors import DatasetError
from preprocessing.job.process_pool import in_processes
from preprocessing.monitoring.progress import ImageCount, ProgressDisplay
from preprocessing.sample.drawing import CLASSES, SHAPES, TEXTURES, draw

TRAIN_ARCHIVE = "ILSVRC2012_img_train.tar"
VALIDATION_ARCHIVE = "ILSVRC2012_img_val.tar"
DEVKIT_ARCHIVE = "ILSVRC2012_devkit_t12.tar.gz"

# WNIDs of our own making (those of ImageNet begin with n0 and n1); the
# ILSVRC2012_ID of a class is its place in CLASSES + 1, so the two orders differ.
WNIDS = {
    "circle": "n90000470",
    "triangle": "n90000130",
    "star": "n90000820",
    "cross": "n90000250",
    "ring": "n90000660",
    "spiral": "n90000310",
    "stripes": "n90000910",
    "waves": "n90000050",
    "checkerboard": "n90000740",
    "dots": "n90000590",
}
# Internal nodes of the hierarchy: WNID, name, names of the children. They are no classes.
INTERNAL_NODES = (
    ("n90000001", "shape", tuple(SHAPES)),
    ("n90000002", "texture", tuple(TEXTURES)),
    ("n90000003", "figure", ("shape", "texture")),
)
# (class, image) of the training split -> what stands in the file named .JPEG.
ODD_IMAGES = {("circle", 0): "PNG", ("spiral", 1): "CMYK", ("dots", 2): "CMYK"}

MAX_PER_CLASS = 10_000  # a class's archive is made in memory
_CHUNK = 25  # images that a process draws at a time
_MODIFIED = 1_340_000_000  # of every archive member: June 2012
_SPLIT_CODES = {"train": 0, "validation": 1}


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
    np.random.default_rng([seed, len(_SPLIT_CODES)]).shuffle(labels)
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
        images = _drawn("train", train, seed, workers, done)
        _write_train_archive(files[0], images, train_per_class)
        images = _drawn("validation", validation, seed, workers, done)
        _write_validation_archive(files[1], images)
        _write_devkit(files[2], labels + 1, train_per_class)


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


def _drawn(
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
    rng = np.random.default_rng([seed, _SPLIT_CODES[split], CLASSES.index(name), number])
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


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime = len(data), _MODIFIED
    archive.addfile(member, io.BytesIO(data))


def _write_train_archive(file: BinaryIO, images: Iterator[bytes], per_class: int) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in CLASSES:
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w", format=tarfile.GNU_FORMAT) as class_archive:
                for number in range(per_class):
                    _add(class_archive, f"{WNIDS[name]}_{number + 1}.JPEG", next(images))
            _add(archive, f"{WNIDS[name]}.tar", inner.getvalue())


def _write_validation_archive(file: BinaryIO, images: Iterator[bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for number, image in enumerate(images, start=1):
            _add(archive, f"ILSVRC2012_val_{number:08d}.JPEG", image)


def _write_devkit(file: BinaryIO, ilsvrc_ids: np.ndarray, train_per_class: int) -> None:
    ground_truth = "".join(f"{number}\n" for number in ilsvrc_ids).encode()
    folder = "ILSVRC2012_devkit_t12/data"
    with (
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=_MODIFIED) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        _add(archive, f"{folder}/meta.mat", _meta_mat(train_per_class))
        _add(archive, f"{folder}/ILSVRC2012_validation_ground_truth.txt", ground_truth)


def _meta_mat(train_per_class: int) -> bytes:
    """MATLAB's struct array `synsets`, the classes first, then the internal nodes."""
    nodes = [(WNIDS[name], name, ()) for name in CLASSES] + list(INTERNAL_NODES)
    ids = {name: number for number, (_, name, _) in enumerate(nodes, start=1)}
    heights: dict[str, int] = {}
    fields = "ILSVRC2012_ID WNID words gloss num_children children wordnet_height num_train_images"
    synsets = np.zeros((len(nodes), 1), [(field, object) for field in fields.split()])
    for row, (wnid, name, children) in zip(synsets[:, 0], nodes, strict=True):
        heights[name] = 1 + max((heights[child] for child in children), default=-1)
        row["ILSVRC2012_ID"] = float(ids[name])
        row["WNID"] = wnid
        row["words"] = name
        row["gloss"] = "a drawn image" if not children else "an internal node, not a class"
        row["num_children"] = float(len(children))
        row["children"] = np.array([[ids[child] for child in children]], np.float64)
        row["wordnet_height"] = float(heights[name])
        row["num_train_images"] = float(train_per_class if not children else 0)
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"synsets": synsets})
    # The first 116 bytes are a free text in which SciPy writes the time of day.
    header = b"MATLAB 5.0 MAT-file, made by preprocessing/sample.py"
    return header.ljust(116) + buffer.getvalue()[116:]
