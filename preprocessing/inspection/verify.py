"""Reads a whole dataset back and holds every byte of it against dataset_info.json."""

import io
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import PIL.Image

from preprocessing.dataset.example import UNLABELLED, Record, decode_example
from preprocessing.dataset.info import DatasetInfo, Shard, parse_info
from preprocessing.dataset.integrity import unlisted_shards
from preprocessing.dataset.mean_image import parse_mean_image
from preprocessing.dataset.names import INFO_FILE, MEAN_FILE, parse_shard_name
from preprocessing.dataset.tfrecord import RecordError, read_records
from preprocessing.errors import DatasetError
from preprocessing.job.shards import file_checksum
from preprocessing.monitoring.progress import ImageCount, ProgressDisplay
from preprocessing.storage import choose
from preprocessing.storage.files import Files

FilesFor = Callable[[str], Files]

_MOST_PROBLEMS_PER_SHARD = 5


def load_info(directory: str, files_for: FilesFor = choose.files_for) -> DatasetInfo:
    """dataset.read_info on any filesystem. Raises DatasetError as it does."""
    files = files_for(directory)
    path = files.join(directory, INFO_FILE)
    if not files.is_file(path):
        raise DatasetError(
            f"expected {INFO_FILE} in {directory!r}, found none: it is not a complete dataset; "
            "make one with: python -m preprocessing convert"
        )
    with files.open(path) as file:
        return parse_info(file.read(), path)


def verify_dataset(
    directory: str, files_for: FilesFor = choose.files_for, workers: int | None = None
) -> list[str]:
    """Checks every file and every record; returns one line for each problem found.

    Args:
        directory: of the dataset.
        files_for: the filesystem of a path; a module's function, as it goes to other processes.
        workers: processes; by default one per processor. 0: in this one.

    Raises:
        DatasetError: it is no dataset, or of another format version.
    """
    info = load_info(directory, files_for)
    shards = [shard for shards in info.splits.values() for shard in shards]
    files = files_for(directory)
    problems = unlisted_shards(info, files.names(directory))
    problems += check_other_files(directory, info, files)
    done = ImageCount()
    with ProgressDisplay(sum(shard.examples for shard in shards), 0, done):
        if workers == 0:
            checks = (check_shard(directory, info, shard, files_for) for shard in shards)
            problems += _collected(zip(shards, checks, strict=True), done)
            return problems
        context = multiprocessing.get_context("spawn")  # forking a threaded process may hang
        with ProcessPoolExecutor(workers or os.cpu_count(), context) as pool:
            futures = [
                pool.submit(check_shard, directory, info, shard, files_for) for shard in shards
            ]
            checks = (future.result() for future in futures)
            problems += _collected(zip(shards, checks, strict=True), done)
    return problems


def _collected(checks: Iterator[tuple[Shard, list[str]]], done: ImageCount) -> list[str]:
    problems = []
    for shard, shard_problems in checks:
        problems += shard_problems
        done.add(shard.examples)
    return problems


def check_other_files(directory: str, info: DatasetInfo, files: Files) -> list[str]:
    """The problems of what lies beside the shards, each a line that begins with the file's name."""
    problems = []
    for name in info.files or (MEAN_FILE,):  # format version 1 promises the mean image alone
        path = files.join(directory, name)
        if not files.is_file(path):
            problems.append(f"{name}: the file is missing")
            continue
        size, stored = files.entry(path).size, info.files.get(name)
        if stored and size != stored.bytes:
            problems.append(f"{name}: {size} bytes, expected {stored.bytes}")
        elif stored and file_checksum(files, path) != stored.checksum:
            problems.append(f"{name}: the file's checksum is not that of {INFO_FILE}")
        elif name == MEAN_FILE:
            try:
                with files.open(path) as file:
                    parse_mean_image(file.read(), info)
            except ValueError as error:
                problems.append(f"{name}: {error}")
    return problems


def check_shard(
    directory: str, info: DatasetInfo, shard: Shard, files_for: FilesFor = choose.files_for
) -> list[str]:
    """The problems of one shard, each a line that begins with its name."""
    files = files_for(directory)
    path = files.join(directory, shard.name)
    if not files.is_file(path):
        return [f"{shard.name}: the file is missing"]
    problems: list[str] = []
    size = files.entry(path).size
    if size != shard.bytes:
        problems.append(f"{shard.name}: {size} bytes, expected {shard.bytes}")
    elif file_checksum(files, path) != shard.checksum:
        problems.append(f"{shard.name}: the file's checksum is not that of {INFO_FILE}")
    count = 0
    labelled = parse_shard_name(shard.name)[0] != "test"
    try:
        with files.open(path) as file:
            for data in read_records(file):
                count += 1
                try:
                    check_record(decode_example(data), info, labelled)
                except ValueError as error:
                    problems.append(f"{shard.name}: record {count}: {error}")
                if len(problems) >= _MOST_PROBLEMS_PER_SHARD:
                    return [*problems, f"{shard.name}: and perhaps more"]
    except RecordError as error:
        problems.append(f"{shard.name}: {error}")
    if count != shard.examples:
        problems.append(f"{shard.name}: {count} readable records, expected {shard.examples}")
    return problems


def check_record(record: Record, info: DatasetInfo, labelled: bool) -> None:
    """Checks a record against the dataset. Raises ValueError with what is wrong."""
    side = info.image_size
    if (record.format, record.height, record.width) != (info.encoding, side, side):
        raise ValueError(
            f"expected {info.encoding} of {side} x {side}, received {record.format} of "
            f"{record.height} x {record.width}"
        )
    if record.format == "raw":
        if len(record.encoded) != 3 * side * side:
            raise ValueError(f"expected {3 * side * side} bytes, received {len(record.encoded)}")
    else:
        _check_jpeg(record.encoded, side)
    lowest = 0 if labelled else UNLABELLED
    if not lowest <= record.label < len(info.classes):
        raise ValueError(
            f"expected a label from {lowest} to {len(info.classes) - 1}, received {record.label}"
        )
    expected = ("", "")
    if record.label >= 0:
        name = info.classes[record.label]
        expected = (name.synset, name.text)
    if (record.synset, record.text) != expected:
        raise ValueError(f"expected class {expected}, received {(record.synset, record.text)}")


def _check_jpeg(data: bytes, side: int) -> None:
    try:
        with PIL.Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            if image.size != (side, side) or image.mode != "RGB":
                raise ValueError(
                    f"expected RGB {side} x {side}, received {image.mode} {image.size}"
                )
            image.load()
    except ValueError:
        raise
    except Exception as error:  # Pillow's plugins raise nearly everything on damaged bytes
        raise ValueError(f"the JPEG does not decode: {error}") from error
