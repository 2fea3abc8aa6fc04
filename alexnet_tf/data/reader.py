"""A dataset directory as tf.data: records in, uint8 crops out, every record exactly once an epoch.

The host only reads, decodes the crop and draws random numbers; pixels leave it as uint8. Each
random number depends on (seed, epoch, place in the epoch) alone, so a stream restarted in mid-epoch
continues exactly.

An epoch is woven from *lanes*: the shards, in the epoch's order, are cut into equal runs of
records, and every global batch takes equally many from each. A worker reads the lanes of its rows,
hence its own files (and part of one more at either end), and a global batch holds the same pictures
in the same rows however many workers and replicas share it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from alexnet_tf.config import ConfigError, DataConfig
from alexnet_tf.data.crops import blank, decode_crops
from preprocessing.dataset import DatasetInfo

READ_AT_ONCE = 16  # shards open at a time, over all lanes
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


@dataclass(frozen=True)
class Split:
    """The shards of one split of a dataset.

    `memory`, if it is given, holds every record in stored order and a blank one after them, string
    [records + 1] (`data.cache`); they are read from files otherwise.
    """

    directory: str | os.PathLike
    info: DatasetInfo
    name: str
    memory: tf.Tensor | None = field(default=None, compare=False, repr=False)

    @property
    def paths(self) -> list[str]:
        return self.info.shard_paths(self.directory, self.name)

    @property
    def counts(self) -> list[int]:
        """Records of each shard."""
        return [shard.examples for shard in self.info.splits[self.name]]

    def elements(self, shard: tf.Tensor, skipped: tf.Tensor, taken: tf.Tensor) -> tf.data.Dataset:
        """What stands for some records in a row of a shard: themselves, or their numbers."""
        if self.memory is None:
            path = tf.gather(self.paths, shard)
            # Raw records are as large as the default buffer: reading them past it saves a copy.
            size = 0 if self.info.encoding == "raw" else None
            return tf.data.TFRecordDataset(path, buffer_size=size).skip(skipped).take(taken)
        first = tf.gather(np.cumsum([0, *self.counts]), shard) + skipped
        return tf.data.Dataset.range(first, first + taken)

    def blanks(self, count: tf.Tensor | int) -> tf.data.Dataset:
        """Elements of a blank record."""
        number = tf.constant(sum(self.counts), tf.int64)
        element = blank(self.info) if self.memory is None else number
        return tf.data.Dataset.from_tensors(element).repeat(count)

    def records(self, elements: tf.Tensor) -> tf.Tensor:
        """The records' bytes."""
        return elements if self.memory is None else tf.gather(self.memory, elements)

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


def check_sizes(info: DatasetInfo, input_size: int) -> None:
    """Raises ConfigError if crops of `input_size` cannot be cut from the dataset's pictures."""
    if info.image_size < input_size:
        raise ConfigError(
            f"network.input_size: expected at most {info.image_size}, the dataset's picture size,"
            f" received {input_size}; convert with a larger --image-size or set a smaller input"
        )


def _check_positions(config: DataConfig, positions: int) -> None:
    if config.crop_positions is not None and config.crop_positions > positions:
        raise ConfigError(
            f"data.crop_positions: expected at most {positions}, of the dataset's pictures and"
            f" network.input_size, received {config.crop_positions}"
        )


def training_batches(
    split: Split,
    config: DataConfig,
    input_size: int,
    share: Share,
    seed: int,
    start: tuple[int, int] = (0, 0),
) -> tf.data.Dataset:
    """An endless stream of one replica's batches from (epoch, batch) = `start` on.

    Each element: `image` uint8 [b, S, S, 3], `label` int32 [b], `weight` float32 [b] (0 where the
    last batch of an epoch is padded), `row` int32 [b] (its place in the global batch), and the
    random draws `offset` int32 [b, 2], `flip` bool [b], `noise` float32 [b, 3] ~ N(0, 1).
    """
    check_sizes(split.info, input_size)
    _check_positions(config, split.info.image_size - input_size + 1)
    lanes, mine, few = split.lanes(share), share.per_worker, share.at_once
    rows = tf.range(share.worker * mine, (share.worker + 1) * mine, dtype=tf.int64)
    margin = split.info.image_size - input_size

    def epoch(number):
        weave = _lanes_of_epoch(split, config, share, lanes, seed, number)
        own = range(
            share.worker * lanes // share.workers, (share.worker + 1) * lanes // share.workers
        )
        records = tf.data.Dataset.range(own.start, own.stop).interleave(
            weave,
            cycle_length=len(own),
            block_length=share.global_batch_size // lanes,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        batches = tf.data.Dataset.range(split.batches(share))
        draws = batches.map(
            lambda batch: _parted(
                {
                    "row": tf.cast(rows, tf.int32),
                    **_draws(config, margin, seed, number, batch * share.global_batch_size + rows),
                },
                few,
            )
        )
        return tf.data.Dataset.zip((records.batch(few, drop_remainder=True), draws.unbatch()))

    def examples(elements, draws):
        crops = decode_crops(split.records(elements), split.info, draws["offset"], input_size)
        return {**dict(zip(("image", "label", "weight"), crops, strict=True)), **draws}

    stream = tf.data.Dataset.range(start[0], tf.int64.max).flat_map(epoch)
    stream = stream.skip(start[1] * mine // few)  # records are skipped before decoding
    stream = stream.map(examples, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _whole(stream, share)


def evaluation_batches(split: Split, size: int, share: Share) -> tf.data.Dataset:
    """One pass in stored order: the central `size`×`size` of each picture, uint8.

    Workers take equal runs of records; their last batches are padded as in training.
    """
    check_sizes(split.info, size)
    margin = (split.info.image_size - size) // 2
    runs = _runs(split.counts, share.worker, share.workers)
    padded = split.batches(share) * share.per_worker
    blanks = split.blanks(padded - int(sum(taken for _, taken in runs)))

    def examples(elements):
        corners = tf.fill([share.at_once, 2], margin)
        crops = decode_crops(split.records(elements), split.info, corners, size)
        return dict(zip(("image", "label", "weight"), crops, strict=True))

    shards = tf.data.Dataset.from_tensor_slices((np.arange(len(runs)), *np.transpose(runs)))
    stream = shards.filter(lambda shard, skipped, taken: taken > 0).flat_map(split.elements)
    stream = stream.concatenate(blanks).batch(share.at_once, drop_remainder=True)
    stream = stream.map(examples, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _whole(stream, share)


def _parted(columns: dict[str, tf.Tensor], size: int) -> dict[str, tf.Tensor]:
    """[n, …] as [n / size, size, …]."""
    return {
        name: tf.reshape(column, [column.shape[0] // size, size, *column.shape[1:]])
        for name, column in columns.items()
    }


def _whole(parts: tf.data.Dataset, share: Share) -> tf.data.Dataset:
    """A replica's batches of parts, `at_once` examples each."""
    batches = parts.batch(share.per_replica // share.at_once, drop_remainder=True)
    joined = batches.map(
        lambda columns: {
            name: tf.reshape(column, [share.per_replica, *column.shape[2:]])
            for name, column in columns.items()
        }
    )
    return joined.prefetch(tf.data.AUTOTUNE)


def _runs(counts: list[int], part: int, parts: int) -> np.ndarray:
    """What `part` of `parts` equal runs reads of shards in a row: int64 [shards, (skip, take)]."""
    ends = np.cumsum(counts, dtype=np.int64)
    begins = ends - counts
    total = int(ends[-1])
    low, high = np.clip([part * total // parts, (part + 1) * total // parts], 0, total)
    skipped = np.clip(low - begins, 0, counts)
    return np.stack([skipped, np.clip(high - begins, 0, counts) - skipped], axis=1)


def _lanes_of_epoch(
    split: Split, config: DataConfig, share: Share, lanes: int, seed: int, epoch: tf.Tensor
):
    """A function from a lane's number to its elements in the epoch's order, padded with blanks."""
    order, counts = tf.range(len(split.counts)), tf.constant(split.counts, tf.int64)
    total, shuffled = sum(split.counts), config.order == "shuffled"
    padded = split.batches(share) * share.global_batch_size // lanes
    if shuffled:
        order = tf.random.experimental.stateless_shuffle(order, _seed(seed, epoch, _ORDER, 0))
        counts = tf.gather(counts, order)
    begins = tf.cumsum(counts, exclusive=True)

    def lane(number):
        low, high = number * total // lanes, (number + 1) * total // lanes
        skipped = tf.clip_by_value(low - begins, 0, counts)
        taken = tf.clip_by_value(high - begins, 0, counts) - skipped
        shards = [tf.boolean_mask(column, taken > 0) for column in (order, skipped, taken)]
        shards = tf.data.Dataset.from_tensor_slices(tuple(shards))
        if shuffled:
            elements = shards.interleave(split.elements, cycle_length=max(1, READ_AT_ONCE // lanes))
            elements = elements.shuffle(
                max(1, config.shuffle_buffer // lanes),
                seed=tf.random.stateless_uniform(
                    [], _seed(seed, epoch, _SHUFFLE, number), None, None, tf.int64
                ),
                reshuffle_each_iteration=False,
            )
        else:
            elements = shards.flat_map(split.elements)
        return elements.concatenate(split.blanks(padded - (high - low)))

    return lane


# Streams of random numbers that never meet: of a chunk's crop and flip, an example's noise, the
# shards' order, a lane's shuffling.
_CROP, _NOISE, _ORDER, _SHUFFLE = range(4)
_PHILOX = 1  # whose counter can start anywhere: four numbers a place, whatever was drawn before


def _seed(seed: int, epoch: tf.Tensor, stream: int, number) -> tf.Tensor:
    """int64 [2], different for different arguments (below 2³¹ seeds and 2³⁰ epochs)."""
    return tf.stack(
        [(tf.cast(epoch, tf.int64) * 2**31 + seed) * 4 + stream, tf.cast(number, tf.int64)]
    )


def _draws(config: DataConfig, margin: int, seed: int, epoch: tf.Tensor, places: tf.Tensor) -> dict:
    """Crop, flip and noise of examples at places in a row of the epoch, int64 [n].

    `chunk` examples in a row share crop and flip.
    """
    chunks = places // config.chunk
    shared = _numbers(tf.raw_ops.StatelessRandomUniformV2, _seed(seed, epoch, _CROP, 0), chunks)
    noise = _numbers(tf.raw_ops.StatelessRandomNormalV2, _seed(seed, epoch, _NOISE, 0), places)
    positions = config.crop_positions or margin + 1
    offset = tf.cast(shared[:, :2] * positions, tf.int32)
    return {
        "offset": tf.minimum(offset, positions - 1),  # float32 rounding could reach `positions`
        "flip": (shared[:, 2] < 0.5) if config.flip else tf.zeros(tf.shape(places), tf.bool),
        "noise": noise[:, :3],
    }


def _numbers(distribution, seed: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """float32 [n, 4] for ascending places without gaps; each row depends on its place alone."""
    key = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed).key
    count = tf.cast(places[-1] - places[0] + 1, tf.int32)
    counter = tf.cast(tf.stack([places[0], 0]), tf.uint64)
    drawn = distribution(shape=tf.stack([count, 4]), key=key, counter=counter, alg=_PHILOX)
    return tf.gather(drawn, places - places[0])
