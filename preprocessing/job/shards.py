"""Makes one shard: reads its images, converts them, writes records; or keeps a finished one.

Beside a finished shard stand its color statistics and, written last, its result: a later run that
finds them all intact need not make the shard again.
"""

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from preprocessing.dataset.example import Record, encode_example
from preprocessing.dataset.info import ClassName, Shard
from preprocessing.dataset.tfrecord import frame
from preprocessing.images.convert import Reject, decode_and_resize, encode
from preprocessing.images.statistics import PixelStatistics
from preprocessing.job.plan import ShardTask, read_plan
from preprocessing.job.workspace import Job, JobFolder
from preprocessing.sources.listing import ImageRef, RejectEntry
from preprocessing.sources.reader import ImageReader
from preprocessing.storage.checksum import file_checksum
from preprocessing.storage.files import Files

_READ_AHEAD = 16


@dataclass(frozen=True)
class ShardResult:
    """What came of one shard.

    Attributes:
        shard: as it goes into dataset_info.json.
        source_bytes: that were read.
        labels: number of its records of each label.
        rejects: images that could not be converted.
        statistics: SHA-256 of the saved color statistics; empty for splits without.
        run: names the run of the job that made it; another one keeps it.
    """

    shard: Shard
    source_bytes: int
    labels: Mapping[int, int]
    rejects: tuple[RejectEntry, ...]
    statistics: str
    run: str


def make_shard(
    folder: JobFolder,
    files_for: Callable[[str], Files],
    job: Job,
    task: ShardTask,
    run: str,
    report: Callable[[int], None],
) -> ShardResult:
    """Makes a shard, or keeps it if an earlier run (or an earlier try) has finished it.

    Args:
        folder: where to write; its plan says which images the shard holds.
        files_for: the filesystem of an input path.
        job: how to convert.
        task: which shard.
        run: names this run of the job.
        report: called after each image with the number done; not called for a kept shard.

    Raises:
        DatasetError: the input has changed.
        ShardFailure: the plan has changed.
        OSError: reading or writing failed, for instance on a full disk; no file is left behind.
    """
    finished = read_result(folder, task.name)
    if finished is not None and is_intact(folder, finished):
        return finished
    files = folder.files
    refs = read_plan(files, folder.plan, task)
    statistics = PixelStatistics(job.options.size) if task.split == "train" else None
    with (
        ImageReader(files_for, job.containers) as reader,
        files.create(folder.shard(task.name)) as file,
    ):
        writer = _ShardWriter(file, task, job, statistics, reader)
        for index, ref in enumerate(refs):
            if index % _READ_AHEAD == 0:
                for soon in range(index, min(index + 2 * _READ_AHEAD, len(refs))):
                    reader.read_ahead(refs[soon])
            writer.add(ref)
            report(index + 1)
    checksum = ""
    if statistics is not None:
        data = statistics.to_bytes()
        checksum = hashlib.sha256(data).hexdigest()
        with files.create(folder.statistics(task.name)) as file:
            file.write(data)
    result = writer.result(checksum, run)
    with files.create(folder.result(task.name)) as file:
        file.write(json.dumps(dataclasses.asdict(result)).encode())
    return result


class _ShardWriter:
    """Converts images one by one into records of a shard, counting as it goes."""

    def __init__(
        self,
        file: BinaryIO,
        task: ShardTask,
        job: Job,
        statistics: PixelStatistics | None,
        reader: ImageReader,
    ):
        self._file = file
        self._task = task
        self._job = job
        self._statistics = statistics
        self._reader = reader
        self._digest = hashlib.sha256()
        self._examples = self._bytes = self._source_bytes = 0
        self._labels: Counter[int] = Counter()
        self._rejects: list[RejectEntry] = []

    def add(self, ref: ImageRef) -> None:
        """Appends a record, or notes a reject."""
        options = self._job.options
        try:
            data = self._reader.read(ref)
            self._source_bytes += len(data)
            pixels = decode_and_resize(data, options)
        except Reject as reject:
            where = self._reader.where(ref)
            self._rejects.append(
                RejectEntry(self._task.split, ref.name, where, reject.reason, reject.detail)
            )
            return
        name = self._job.classes[ref.label] if ref.label >= 0 else ClassName("", "")
        record = Record(
            encoded=encode(pixels, options),
            format=options.encoding,
            height=options.size,
            width=options.size,
            label=ref.label,
            synset=name.synset,
            text=name.text,
            filename=ref.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
        )
        framed = frame(encode_example(record))
        self._file.write(framed)
        self._digest.update(framed)
        self._bytes += len(framed)
        self._examples += 1
        self._labels[ref.label] += 1
        if self._statistics is not None:
            self._statistics.add(pixels)

    def result(self, statistics: str, run: str) -> ShardResult:
        shard = Shard(self._task.name, self._examples, self._bytes, self._digest.hexdigest())
        labels = dict(sorted(self._labels.items()))
        rejects = tuple(self._rejects)
        return ShardResult(shard, self._source_bytes, labels, rejects, statistics, run)


def read_result(folder: JobFolder, name: str) -> ShardResult | None:
    """The result beside a shard; None if there is none, or no readable one."""
    path = folder.result(name)
    if not folder.files.is_file(path):
        return None
    with folder.files.open(path) as file:
        data = file.read()
    try:
        content = json.loads(data)
        return ShardResult(
            shard=Shard(**content["shard"]),
            source_bytes=content["source_bytes"],
            labels={int(label): count for label, count in content["labels"].items()},
            rejects=tuple(RejectEntry(**entry) for entry in content["rejects"]),
            statistics=content["statistics"],
            run=content["run"],
        )
    except (ValueError, KeyError, TypeError, AttributeError):  # damaged: the shard is made again
        return None


def is_intact(folder: JobFolder, result: ShardResult) -> bool:
    """Whether a finished shard and its statistics still have their checksums."""
    files, name = folder.files, result.shard.name
    if result.statistics and not _has_checksum(files, folder.statistics(name), result.statistics):
        return False
    # A run that was interrupted while it published the shards has moved some of them already.
    places = (folder.shard(name), files.join(folder.output, name))
    return any(_has_checksum(files, place, result.shard.checksum) for place in places)


def _has_checksum(files: Files, path: str, checksum: str) -> bool:
    return files.is_file(path) and file_checksum(files, path) == checksum
