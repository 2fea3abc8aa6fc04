"""Makes one shard: reads its images, converts them, writes records; or keeps a finished one.

Everything about a job that is not done yet stands in its working folder (``Workspace``). Beside a
finished shard stand its color statistics and, written last, its result: a later run that finds
them all intact need not make the shard again.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from preprocessing.dataset.example import Record, encode_example
from preprocessing.dataset.info import ClassName, Shard
from preprocessing.dataset.names import parse_shard_name
from preprocessing.dataset.tfrecord import frame
from preprocessing.images.convert import ImageOptions, Reject, decode_and_resize, encode
from preprocessing.images.statistics import PixelStatistics
from preprocessing.job.plan import ShardTask, read_plan
from preprocessing.sources.listing import Container, ImageRef, RejectEntry
from preprocessing.sources.reader import ImageReader
from preprocessing.storage.files import Files

_READ_AHEAD = 16
_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Workspace:
    """Paths of a job: the dataset's directory, and in it a working folder until all is done."""

    files: Files
    output: str

    @property
    def folder(self) -> str:
        return self.files.join(self.output, ".conversion")

    def path(self, *parts: str) -> str:
        return self.files.join(self.folder, *parts)

    @property
    def job(self) -> str:
        return self.path("job.json")

    @property
    def plan(self) -> str:
        return self.path("plan.bin")

    def shard(self, name: str) -> str:
        return self.path("shards", name)

    def result(self, name: str) -> str:
        return self.path("results", f"{name}.json")

    def statistics(self, name: str) -> str:
        return self.path("results", f"{name}.npz")

    def progress(self, name: str) -> str:
        return self.path("progress", name)


@dataclass(frozen=True)
class Job:
    """What a worker must know besides the plan."""

    options: ImageOptions
    classes: tuple[ClassName, ...]
    containers: tuple[Container, ...]

    def to_json(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: dict) -> "Job":
        return cls(
            options=ImageOptions(**content["options"]),
            classes=tuple(ClassName(**name) for name in content["classes"]),
            containers=tuple(Container(**container) for container in content["containers"]),
        )


@dataclass(frozen=True)
class ShardResult:
    """What came of one shard.

    Attributes:
        shard: as it goes into dataset_info.json.
        source_bytes: that were read.
        rejects: images that could not be converted.
        statistics: SHA-256 of the saved color statistics; empty for splits without.
        kept: an earlier run had made it.
    """

    shard: Shard
    source_bytes: int
    rejects: tuple[RejectEntry, ...]
    statistics: str
    kept: bool = False


def make_shard(
    workspace: Workspace,
    files_for: Callable[[str], Files],
    job: Job,
    task: ShardTask,
    tick: Callable[[int], None],
) -> ShardResult:
    """Makes a shard, or keeps it if an earlier run has finished it.

    Args:
        workspace: where to write; its plan says which images the shard holds.
        files_for: the filesystem of an input path.
        job: how to convert.
        task: which shard.
        tick: called after each image with the number done; not called for a kept shard.

    Raises:
        DatasetError: the input has changed.
        OSError: reading or writing failed, for instance on a full disk; no file is left behind.
    """
    finished = read_result(workspace, task.name)
    if finished is not None and is_intact(workspace, finished):
        return dataclasses.replace(finished, kept=True)
    files = workspace.files
    refs = read_plan(files, workspace.plan, task)
    split = parse_shard_name(task.name)[0]
    statistics = PixelStatistics(job.options.size) if split == "train" else None
    with (
        ImageReader(files_for, job.containers) as reader,
        files.create(workspace.shard(task.name)) as file,
    ):
        writer = _ShardWriter(file, task.name, job, statistics, reader)
        for index, ref in enumerate(refs):
            if index % _READ_AHEAD == 0:
                for soon in range(index, min(index + 2 * _READ_AHEAD, len(refs))):
                    reader.read_ahead(refs[soon])
            writer.add(ref)
            tick(index + 1)
    checksum = ""
    if statistics is not None:
        data = statistics.to_bytes()
        checksum = hashlib.sha256(data).hexdigest()
        with files.create(workspace.statistics(task.name)) as file:
            file.write(data)
    result = writer.result(checksum)
    with files.create(workspace.result(task.name)) as file:
        file.write(json.dumps(dataclasses.asdict(result)).encode())
    return result


class _ShardWriter:
    """Converts images one by one into records of a shard, counting as it goes."""

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        job: Job,
        statistics: PixelStatistics | None,
        reader: ImageReader,
    ):
        self._file = file
        self._name = name
        self._job = job
        self._statistics = statistics
        self._reader = reader
        self._digest = hashlib.sha256()
        self._examples = self._bytes = self._source_bytes = 0
        self._rejects: list[RejectEntry] = []

    def add(self, ref: ImageRef) -> None:
        """Appends a record, or notes a reject."""
        options = self._job.options
        try:
            data = self._reader.read(ref)
            self._source_bytes += len(data)
            pixels = decode_and_resize(data, options)
        except Reject as reject:
            split = parse_shard_name(self._name)[0]
            where = self._reader.where(ref)
            self._rejects.append(RejectEntry(split, ref.name, where, reject.reason, reject.detail))
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
        if self._statistics is not None:
            self._statistics.add(pixels)

    def result(self, statistics: str) -> ShardResult:
        shard = Shard(self._name, self._examples, self._bytes, self._digest.hexdigest())
        return ShardResult(shard, self._source_bytes, tuple(self._rejects), statistics)


def read_result(workspace: Workspace, name: str) -> ShardResult | None:
    """The result beside a shard; None if there is none, or no readable one."""
    path = workspace.result(name)
    if not workspace.files.is_file(path):
        return None
    with workspace.files.open(path) as file:
        data = file.read()
    try:
        content = json.loads(data)
        return ShardResult(
            shard=Shard(**content["shard"]),
            source_bytes=content["source_bytes"],
            rejects=tuple(RejectEntry(**entry) for entry in content["rejects"]),
            statistics=content["statistics"],
        )
    except (ValueError, KeyError, TypeError):  # damaged: the shard is made again
        return None


def is_intact(workspace: Workspace, result: ShardResult) -> bool:
    """Whether a finished shard and its statistics still have their checksums."""
    name = result.shard.name
    if result.statistics and not _has_checksum(
        workspace.files, workspace.statistics(name), result.statistics
    ):
        return False
    # A run that was interrupted while it published the shards has moved some of them already.
    places = (workspace.shard(name), workspace.files.join(workspace.output, name))
    return any(_has_checksum(workspace.files, place, result.shard.checksum) for place in places)


def _has_checksum(files: Files, path: str, checksum: str) -> bool:
    return files.is_file(path) and file_checksum(files, path) == checksum


def file_checksum(files: Files, path: str) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with files.open(path) as file:
        while data := file.read(_COPY_BYTES):
            digest.update(data)
    return digest.hexdigest()
