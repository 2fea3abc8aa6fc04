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
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from alexnet_tf.config import ConfigError, DataConfig
from preprocessing.dataset import DatasetInfo

READ_AT_ONCE = 16  # shards open at a time, over all lanes
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
    """The shards of one split of a dataset."""

    directory: str | os.PathLike
    info: DatasetInfo
    name: str

    @property
    def paths(self) -> list[str]:
        return self.info.shard_paths(self.directory, self.name)

    @property
    def counts(self) -> list[int]:
        """Records of each shard."""
        return [shard.examples for shard in self.info.splits[self.name]]

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
    lanes, mine = split.lanes(share), share.per_worker
    first = share.worker * mine  # of the worker's rows

    def epoch(number):
        weave = _lanes_of_epoch(split, config, share, lanes, seed, number)
        own = range(
            share.worker * lanes // share.workers, (share.worker + 1) * lanes // share.workers
        )
        records = tf.data.Dataset.range(own.start, own.stop).interleave(
            weave, cycle_length=len(own), block_length=share.global_batch_size // lanes
        )
        return records.enumerate().map(lambda index, record: (number, index, record))

    def example(number, index, record):
        row = first + index % mine
        place = index // mine * share.global_batch_size + row
        draws = _draws(config, split.info.image_size - input_size, seed, number, place)
        image, label, weight = _decode(record, split.info, draws["offset"], input_size)
        row = tf.cast(row, tf.int32)
        return {"image": image, "label": label, "weight": weight, "row": row, **draws}

    stream = tf.data.Dataset.range(start[0], tf.int64.max).flat_map(epoch)
    stream = stream.skip(start[1] * mine)  # records are skipped before decoding
    stream = stream.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return stream.batch(share.per_replica, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def evaluation_batches(split: Split, size: int, share: Share) -> tf.data.Dataset:
    """One pass in stored order: the central `size`×`size` of each picture, uint8.

    Workers take equal runs of records; their last batches are padded as in training.
    """
    check_sizes(split.info, size)
    margin = (split.info.image_size - size) // 2
    runs = _runs(split.counts, share.worker, share.workers)
    padded = split.batches(share) * share.per_worker
    blank = tf.data.Dataset.from_tensors("").repeat(padded - int(sum(taken for _, taken in runs)))

    def example(record):
        image, label, weight = _decode(record, split.info, [margin, margin], size)
        return {"image": image, "label": label, "weight": weight}

    shards = tf.data.Dataset.from_tensor_slices((split.paths, *np.transpose(runs)))
    stream = shards.filter(lambda path, skipped, taken: taken > 0).flat_map(_records)
    stream = stream.concatenate(blank)
    stream = stream.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return stream.batch(share.per_replica, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def _records(path: tf.Tensor, skipped: tf.Tensor, taken: tf.Tensor) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(path).skip(skipped).take(taken)


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
    """A function from a lane's number to its records in the epoch's order, padded with blanks."""
    paths, counts = tf.constant(split.paths), tf.constant(split.counts, tf.int64)
    total, shuffled = sum(split.counts), config.order == "shuffled"
    padded = split.batches(share) * share.global_batch_size // lanes
    if shuffled:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(split.counts)), _seed(seed, epoch, _ORDER, 0)
        )
        paths, counts = tf.gather(paths, order), tf.gather(counts, order)
    begins = tf.cumsum(counts, exclusive=True)

    def lane(number):
        low, high = number * total // lanes, (number + 1) * total // lanes
        skipped = tf.clip_by_value(low - begins, 0, counts)
        taken = tf.clip_by_value(high - begins, 0, counts) - skipped
        shards = [tf.boolean_mask(column, taken > 0) for column in (paths, skipped, taken)]
        shards = tf.data.Dataset.from_tensor_slices(tuple(shards))
        if shuffled:
            records = shards.interleave(_records, cycle_length=max(1, READ_AT_ONCE // lanes))
            records = records.shuffle(
                max(1, config.shuffle_buffer // lanes),
                seed=tf.random.stateless_uniform(
                    [], _seed(seed, epoch, _SHUFFLE, number), None, None, tf.int64
                ),
                reshuffle_each_iteration=False,
            )
        else:
            records = shards.flat_map(_records)
        blank = tf.data.Dataset.from_tensors("").repeat(padded - (high - low))
        return records.concatenate(blank)

    return lane


# Streams of random numbers that never meet: of a chunk's crop and flip, an example's noise, the
# shards' order, a lane's shuffling.
_CROP, _NOISE, _ORDER, _SHUFFLE = range(4)


def _seed(seed: int, epoch: tf.Tensor, stream: int, number) -> tf.Tensor:
    """int64 [2], different for different arguments (below 2³¹ seeds and 2³⁰ epochs)."""
    return tf.stack(
        [(tf.cast(epoch, tf.int64) * 2**31 + seed) * 4 + stream, tf.cast(number, tf.int64)]
    )


def _draws(config: DataConfig, margin: int, seed: int, epoch: tf.Tensor, place: tf.Tensor) -> dict:
    """Crop, flip and noise of one example; `chunk` examples in a row share crop and flip."""
    shared = tf.random.stateless_uniform([3], _seed(seed, epoch, _CROP, place // config.chunk))
    positions = config.crop_positions or margin + 1
    offset = tf.cast(shared[:2] * positions, tf.int32)
    return {
        "offset": tf.minimum(offset, positions - 1),  # float32 rounding could reach `positions`
        "flip": (shared[2] < 0.5) if config.flip else tf.constant(False),
        "noise": tf.random.stateless_normal([3], _seed(seed, epoch, _NOISE, place)),
    }


def _decode(record: tf.Tensor, info: DatasetInfo, offset, size: int) -> tuple:
    """(uint8 [size, size, 3], label, weight) of a record; zeros with weight 0 for a blank one."""
    blank = (tf.zeros([size, size, 3], tf.uint8), tf.constant(0), tf.constant(0.0))
    return tf.cond(
        tf.equal(record, ""), lambda: blank, lambda: _decode_real(record, info, offset, size)
    )


def _decode_real(record: tf.Tensor, info: DatasetInfo, offset, size: int) -> tuple:
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64),
    }
    parsed = tf.io.parse_single_example(record, features)
    encoded, y, x = parsed["image/encoded"], offset[0], offset[1]
    if info.encoding == "raw":
        picture = tf.reshape(
            tf.io.decode_raw(encoded, tf.uint8), [info.image_size, info.image_size, 3]
        )
        crop = tf.slice(picture, [y, x, 0], [size, size, 3])
    else:
        crop = tf.image.decode_and_crop_jpeg(encoded, [y, x, size, size], channels=3)
    crop = tf.ensure_shape(crop, [size, size, 3])
    return crop, tf.cast(parsed["image/class/label"], tf.int32), tf.constant(1.0)
