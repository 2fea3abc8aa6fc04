"""Reads a whole dataset back and holds every byte of it against dataset_info.json."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from preprocessing.dataset.example import decode_example
from preprocessing.dataset.info import DatasetInfo, Shard, check_info_size, parse_info
from preprocessing.dataset.integrity import unlisted_shards
from preprocessing.dataset.mean_image import parse_mean_image
from preprocessing.dataset.names import INFO_FILE, MEAN_FILE, parse_shard_name
from preprocessing.dataset.tfrecord import RecordError, read_records
from preprocessing.errors import DatasetError
from preprocessing.inspection.records import check_record
from preprocessing.job.process_pool import in_processes
from preprocessing.monitoring.progress import ImageCount, ProgressDisplay
from preprocessing.storage import choose
from preprocessing.storage.checksum import file_checksum
from preprocessing.storage.files import Files


class ShardCheck(NamedTuple):
    """Problems, each a line that begins with the shard's name; number of records by label."""

    problems: list[str]
    labels: Counter[int]


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
    check_info_size(files.entry(path).size, path)
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
        JobError: a process died.
        OSError: a file cannot be read.
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
        else:
            calls = [(directory, info, shard, files_for) for shard in shards]
            checks = in_processes(check_shard, calls, workers or os.cpu_count() or 1)
        return problems + _collected(info, zip(shards, checks, strict=True), done)


def _collected(
    info: DatasetInfo, checks: Iterator[tuple[Shard, ShardCheck]], done: ImageCount
) -> list[str]:
    """The problems of all shards; of sound ones together, whether the classes' counts are right."""
    problems: list[str] = []
    labels: dict[str, Counter[int]] = {split: Counter() for split in info.splits}
    for shard, check in checks:
        problems += check.problems
        labels[parse_shard_name(shard.name)[0]].update(check.labels)
        done.add(shard.examples)
    for split, counts in info.class_counts.items() if not problems else ():
        for label, count in enumerate(counts):
            if labels[split][label] != count:
                name = info.classes[label].synset
                problems.append(
                    f"{INFO_FILE}: {count} {split} images of class {name}, the shards hold "
                    f"{labels[split][label]}"
                )
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
) -> ShardCheck:
    """Reads one shard: its bytes, and every record."""
    files = files_for(directory)
    path = files.join(directory, shard.name)
    if not files.is_file(path):
        return ShardCheck([f"{shard.name}: the file is missing"], Counter())
    problems: list[str] = []
    labels: Counter[int] = Counter()
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
                    record = decode_example(data)
                    check_record(record, info, labelled)
                    labels[record.label] += 1
                except ValueError as error:
                    problems.append(f"{shard.name}: record {count}: {error}")
                if len(problems) >= _MOST_PROBLEMS_PER_SHARD:
                    return ShardCheck([*problems, f"{shard.name}: and perhaps more"], labels)
    except RecordError as error:
        problems.append(f"{shard.name}: {error}")
    if count != shard.examples:
        problems.append(f"{shard.name}: {count} readable records, expected {shard.examples}")
    return ShardCheck(problems, labels)
