"""A dataset directory as tf.data: records in, uint8 crops out, every record exactly once an epoch.

The host only reads, decodes the crop and draws random numbers; pixels leave it as uint8. Each
random number depends on (seed, epoch, position in the epoch) alone, so a stream restarted in
mid-epoch continues exactly, and the number of replicas changes nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import tensorflow as tf

from alexnet_tf.config import ConfigError, DataConfig
from preprocessing.dataset import DatasetInfo

READ_AT_ONCE = 16  # shards interleaved; each is read from its own position


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

    def shards(self, share: Share, worker: int) -> tuple[list[str], int]:
        """Paths of a worker's shards and how many records they hold."""
        paths = self.info.shard_paths(self.directory, self.name)[worker :: share.workers]
        held = self.info.splits[self.name][worker :: share.workers]
        return paths, sum(shard.examples for shard in held)

    def batches(self, share: Share) -> int:
        """Batches an epoch: as many as the worker with the most records needs."""
        most = max(self.shards(share, worker)[1] for worker in range(share.workers))
        return -(-most // share.per_worker)


def check_sizes(info: DatasetInfo, input_size: int) -> None:
    """Raises ConfigError if crops of `input_size` cannot be cut from the dataset's pictures."""
    if info.image_size < input_size:
        raise ConfigError(
            f"network.input_size: expected at most {info.image_size}, the dataset's picture size,"
            f" received {input_size}; convert with a larger --image-size or set a smaller input"
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
    paths, count = split.shards(share, share.worker)
    padded = split.batches(share) * share.per_worker

    def epoch(number):
        records = _records(paths, config, seed, number)
        blank = tf.data.Dataset.from_tensors("").repeat(padded - count)
        numbered = records.concatenate(blank).enumerate()
        return numbered.map(lambda index, record: (number, index, record))

    def example(number, index, record):
        draws = _draws(config, split.info.image_size - input_size, seed, number, index)
        image, label, weight = _decode(record, split.info, draws["offset"], input_size)
        row = share.worker * share.per_worker + tf.cast(index % share.per_worker, tf.int32)
        return {"image": image, "label": label, "weight": weight, "row": row, **draws}

    stream = tf.data.Dataset.range(start[0], tf.int64.max).flat_map(epoch)
    stream = stream.skip(start[1] * share.per_worker)  # records are skipped before decoding
    stream = stream.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return stream.batch(share.per_replica, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def evaluation_batches(split: Split, size: int, share: Share) -> tf.data.Dataset:
    """One pass in stored order: the central `size`×`size` of each picture, uint8, padded alike."""
    check_sizes(split.info, size)
    paths, count = split.shards(share, share.worker)
    margin = (split.info.image_size - size) // 2
    blank = tf.data.Dataset.from_tensors("").repeat(split.batches(share) * share.per_worker - count)

    def example(record):
        image, label, weight = _decode(record, split.info, [margin, margin], size)
        return {"image": image, "label": label, "weight": weight}

    stream = tf.data.TFRecordDataset(paths).concatenate(blank)
    stream = stream.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return stream.batch(share.per_replica, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def _records(paths: list[str], config: DataConfig, seed: int, epoch: tf.Tensor) -> tf.data.Dataset:
    """The serialized records of an epoch in its order."""
    if config.order == "fixed":
        return tf.data.TFRecordDataset(paths)
    order = tf.random.experimental.stateless_shuffle(tf.constant(paths), seed=[seed, epoch])
    shards = tf.data.Dataset.from_tensor_slices(order)
    records = shards.interleave(tf.data.TFRecordDataset, cycle_length=min(READ_AT_ONCE, len(paths)))
    return records.shuffle(config.shuffle_buffer, seed=seed + epoch, reshuffle_each_iteration=False)


def _draws(config: DataConfig, margin: int, seed: int, epoch: tf.Tensor, index: tf.Tensor) -> dict:
    """Crop, flip and noise of one example; `chunk` examples in a row share crop and flip."""
    # Two streams of random numbers, told apart by parity; epochs by a stride that never overlaps.
    stream = (tf.cast(epoch, tf.int64) * 2**32 + seed) * 2
    shared = tf.random.stateless_uniform([3], tf.stack([stream, index // config.chunk]))
    positions = min(config.crop_positions or margin + 1, margin + 1)
    offset = tf.cast(shared[:2] * positions, tf.int32)
    return {
        "offset": tf.minimum(offset, positions - 1),  # float32 rounding could reach `positions`
        "flip": (shared[2] < 0.5) if config.flip else tf.constant(False),
        "noise": tf.random.stateless_normal([3], tf.stack([stream + 1, index])),
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
