"""A split of a dataset: its records' elements, and each worker's part of a global batch."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from alexnet_tf.data.crops import blank, decode_crops
from alexnet_tf.data.memory import Memory
from alexnet_tf.errors import ConfigError, DatasetError
from preprocessing.dataset.info import DatasetInfo, Shard

AT_ONCE = 16  # records decoded in one call, at most: waking a thread for each costs a quarter more
LANES = (8, 32)  # at most; fewer for a dataset of few shards, whose lanes share files


@dataclass(frozen=True)
class Share:
    """The part of each global batch that this worker's pipeline makes, replica by replica."""

    global_batch_size: int
    replicas: int = 1  # local to the worker
    workers: int = 1
    worker: int = 0

    @property
    def per_replica(self) -> int:
        return self.global_batch_size // (self.replicas * self.workers)

    @property
    def per_worker(self) -> int:
        return self.per_replica * self.replicas

    @property
    def at_once(self) -> int:
        """Records of a replica's batch that are decoded in one call."""
        return max(n for n in range(1, AT_ONCE + 1) if self.per_replica % n == 0)

    def __post_init__(self):
        parts = self.replicas * self.workers
        if self.global_batch_size % parts:
            below = self.global_batch_size // parts * parts
            valid = [n for n in (below, below + parts) if n]
            raise ConfigError(
                f"training.global_batch_size: expected a multiple of the {parts} replicas (such as"
                f" {' or '.join(map(str, valid))}), received {self.global_batch_size}"
            )


def within(counts: list[int], low: int, high: int) -> np.ndarray:
    """Which of the records low … high − 1 lie in each shard: int64 [shards, (skip, take)]."""
    ends = np.cumsum(counts, dtype=np.int64)
    begins = ends - counts
    skipped = np.clip(low - begins, 0, counts)
    return np.stack([skipped, np.clip(high - begins, 0, counts) - skipped], axis=1)


@dataclass(frozen=True)
class Split:
    """The shards of one split of a dataset, or a part of their records.

    Records are read from files, or taken from `memory` (`data.cache`) by their numbers. `copied`:
    the files are copies of the dataset's. `part`: (first, last + 1) of the records in stored order,
    where the split is not the whole one; the shards after it are not read.
    """

    directory: str | os.PathLike
    info: DatasetInfo
    name: str
    memory: Memory | None = field(default=None, compare=False, repr=False)
    copied: bool = False
    part: tuple[int, int] | None = None

    @property
    def paths(self) -> list[str]:
        return self.info.shard_paths(self.directory, self.name)

    @property
    def shards(self) -> tuple[Shard, ...]:
        """Those up to the last with a record of the part."""
        shards = self.info.splits[self.name]
        if self.part is None:
            return shards
        return shards[: np.flatnonzero(self._kept[:, 1])[-1] + 1]

    @property
    def stored(self) -> list[int]:
        """Records of each shard, whatever the part."""
        return [shard.examples for shard in self.info.splits[self.name]]

    @property
    def counts(self) -> list[int]:
        """Records of each shard that belong to the part."""
        return self._kept[:, 1].tolist()

    @property
    def _kept(self) -> np.ndarray:
        return within(self.stored, *(self.part or (0, sum(self.stored))))

    def expect_examples(self) -> Split:
        """The split itself. Raises DatasetError where it has no records."""
        if not sum(self.stored):
            raise DatasetError(
                f"expected examples in the split {self.name} of {os.fspath(self.directory)},"
                " received none; convert the dataset again, with images for it or without the split"
            )
        return self

    def first(self, fraction: float) -> Split:
        """The first records of a whole split, such a fraction of all; of 1, the split itself.

        Raises ConfigError: that is less than half a record.
        """
        if fraction == 1:
            return self
        total = sum(self.stored)
        if not round(fraction * total):
            raise ConfigError(
                f"data.fraction: expected at least one of the {total} {self.name} images, received"
                f" {fraction}"
            )
        return dataclasses.replace(self, part=(0, round(fraction * total)))

    @tf.autograph.experimental.do_not_convert
    def elements(self, shard: tf.Tensor, skipped: tf.Tensor, taken: tf.Tensor) -> tf.data.Dataset:
        """What stands for some records in a row of a shard: themselves, or their numbers.

        Args: skipped, of the shard's records in the part.
        Iterating raises FailedPreconditionError where the shard holds fewer records, or more after
        its last.
        """
        skipped += tf.gather(self._kept[:, 0], shard)
        if self.memory is None:
            ends = tf.equal(skipped + taken, tf.gather(tf.constant(self.stored, tf.int64), shard))
            records = self.records(tf.gather(self.paths, shard)).skip(skipped)
            records = records.take(taken + tf.cast(ends, tf.int64))
            return records.apply(tf.data.experimental.assert_cardinality(taken))
        first = tf.gather(np.cumsum([0, *self.stored]), shard) + skipped
        return tf.data.Dataset.range(first, first + taken)

    def records(self, paths: tf.Tensor | list[str]) -> tf.data.Dataset:
        """The records in files, one after the other."""
        # Raw records are as large as the default buffer: reading them past it saves a copy.
        size = 0 if self.info.encoding == "raw" else None
        return tf.data.TFRecordDataset(paths, buffer_size=size)

    def blanks(self, count: tf.Tensor | int) -> tf.data.Dataset:
        """Elements of a blank record."""
        element = blank(self.info) if self.memory is None else self.memory.blank
        return tf.data.Dataset.from_tensors(element).repeat(count)

    def crops(self, elements: tf.Tensor, offsets: tf.Tensor, size: int) -> tuple:
        """See `crops.decode_crops`."""
        if self.memory is None:
            return decode_crops(elements, self.info, offsets, size)
        return self.memory.crops(elements, self.info, offsets, size)

    def batches(self, share: Share) -> int:
        """Batches an epoch; all but the last are full."""
        return -(-sum(self.counts) // share.global_batch_size)

    def lanes(self, share: Share) -> int:
        """Into how many lanes an epoch is cut; the number of workers does not matter.

        Raises ConfigError if that many workers cannot share them evenly.
        """
        most = min(max(len(self.counts), LANES[0]), LANES[1])
        batch = share.global_batch_size
        lanes = max(n for n in range(1, most + 1) if batch % n == 0)
        if lanes % share.workers:
            valid = [n for n in range(1, lanes + 1) if lanes % n == 0]
            raise ConfigError(
                f"training.global_batch_size: {batch} is read in {lanes} lanes, which expect"
                f" {' or '.join(map(str, valid))} workers; received {share.workers}. Choose another"
                f" batch, such as {share.workers * LANES[0]}"
            )
        return lanes
