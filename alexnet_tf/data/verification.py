"""Whether a split's shards are, and stay, those that dataset_info.json describes.

Names and sizes are compared when a split is opened (`preprocessing.dataset.integrity.check_files`),
the number of records while they are read (`Split.elements`), and their bytes here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from collections.abc import Iterator

import tensorflow as tf

from alexnet_tf.data.split import Split
from alexnet_tf.errors import DatasetError, JobError
from preprocessing.dataset.info import Shard
from preprocessing.dataset.integrity import check_files, check_shard


class ShardVerifier:
    """Compares the checksums of a split's shards, once and again after they change.

    A thread reads every shard beside the first epoch: from memory, as far as the operating system
    still holds what was read for training. After that a shard costs one look at its inode, size and
    time of change, an epoch. A split in memory (`data.cache`) was compared when it was read.

    Raises DatasetError where a shard is missing or of another size.
    """

    def __init__(self, split: Split):
        self.split = split
        self._shards = () if split.memory is not None else split.shards
        if self._shards:
            check_names(split)
        self._stamps: dict[str, tuple[int, ...]] = {}  # of the shards that were compared
        self._failure: JobError | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._compare_all, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Waits until every shard was compared, as it is now.

        Raises JobError: one is not what dataset_info.json describes.
        """
        self._thread.join()
        if self._failure is None:
            self._compare_all()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Ends the thread after the shard at work."""
        self._closed.set()

    def _compare_all(self) -> None:
        for shard in self._shards:
            if self._closed.is_set():
                return
            try:
                self._compare(shard)
            except JobError as error:
                self._failure = error
                return

    def _compare(self, shard: Shard) -> None:
        path = os.path.join(os.fspath(self.split.directory), shard.name)
        try:
            now = os.stat(path)
            stamp = (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)
            if self._stamps.get(shard.name) == stamp:
                return
            check_shard(self.split.directory, shard)
        except OSError as error:
            raise JobError(f"the shard {path} cannot be read: {error.strerror or error}") from error
        except DatasetError as error:
            raise JobError(f"{error}{_of_a_copy(self.split, path)}") from error
        self._stamps[shard.name] = stamp


def compare_all(split: Split) -> None:
    """Compares the names, sizes and checksums of a split's shards. Raises DatasetError."""
    check_names(split)
    for shard in split.shards:
        check_shard(split.directory, shard)


def check_names(split: Split) -> None:
    """Compares names and sizes alone. Raises DatasetError."""
    read = dataclasses.replace(split.info, splits={split.name: split.shards})
    check_files(split.directory, read)


@contextlib.contextmanager
def reading(split: Split) -> Iterator[None]:
    """Within it, what goes wrong when a split's records are read becomes a JobError."""
    try:
        yield
    except tf.errors.OpError as error:
        problem = _problem(error)
        if problem is None:
            raise
        raise _unreadable(split, problem) from error
    except UnicodeDecodeError as error:  # TensorFlow's message held the damaged bytes
        raise _unreadable(split, "one is damaged") from error


def _unreadable(split: Split, problem: str) -> JobError:
    directory = os.fspath(split.directory)
    return JobError(
        f"the records in {directory} cannot be read: {problem}; see"
        f" python -m preprocessing verify {directory}{_of_a_copy(split, directory)}"
    )


def _problem(error: tf.errors.OpError) -> str | None:
    """What is wrong with a record or shard; None of an error that comes from elsewhere."""
    text = error.message
    if isinstance(error, tf.errors.DataLossError):
        return "one is damaged"
    if "GetNext" not in text:  # nothing but iterators is called so
        return None
    match error:
        case tf.errors.FailedPreconditionError() if "to contain" in text:
            return "a shard holds another number of them than dataset_info.json says"
        case tf.errors.PermissionDeniedError():
            return "a shard may not be read"
        case tf.errors.NotFoundError() | tf.errors.FailedPreconditionError():
            return "a shard is missing"
        case tf.errors.InvalidArgumentError() if "indices[" in text:
            return "a label is out of range"
        case tf.errors.InvalidArgumentError() if "parse example" in text:
            return "one is no record of an image"
        case tf.errors.InvalidArgumentError():
            return "an image cannot be decoded"
    return None


def _of_a_copy(split: Split, path: str) -> str:
    if not split.copied:
        return ""
    return f" (a copy made by data.cache=disk: remove {path}, and it is copied again)"
