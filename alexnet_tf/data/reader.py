"""A dataset directory as tf.data: records in, uint8 crops out, every record exactly once an epoch.

The host only reads, decodes the crop and draws random numbers; pixels leave it as uint8. Each
random number depends on (seed, epoch, place in the epoch) alone, so a stream restarted in mid-epoch
continues exactly.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from alexnet_tf.config.schema import DataConfig
from alexnet_tf.data import epochs
from alexnet_tf.data.draws import draws
from alexnet_tf.data.memory import without_copies
from alexnet_tf.data.split import Share, Split
from alexnet_tf.errors import ConfigError
from preprocessing.dataset.example import UNLABELLED
from preprocessing.dataset.info import DatasetInfo


def check_sizes(info: DatasetInfo, input_size: int) -> None:
    """Raises ConfigError if crops of `input_size` cannot be cut from the dataset's images."""
    if info.image_size < input_size:
        raise ConfigError(
            f"network.input_size: expected at most {info.image_size}, the dataset's image size,"
            f" received {input_size}; convert with a larger --image-size or set a smaller input"
        )


def _check_positions(config: DataConfig, positions: int) -> None:
    if config.crop_positions is not None and config.crop_positions > positions:
        raise ConfigError(
            f"data.crop_positions: expected at most {positions}, of the dataset's images and"
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
    lanes, rows_here, few = split.lanes(share), share.per_worker, share.at_once
    rows = tf.range(share.worker * rows_here, (share.worker + 1) * rows_here, dtype=tf.int64)
    margin = split.info.image_size - input_size

    @tf.autograph.experimental.do_not_convert
    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        weave = epochs.lanes_of_epoch(split, config, share, lanes, seed, number)
        mine = range(
            share.worker * lanes // share.workers, (share.worker + 1) * lanes // share.workers
        )
        records = tf.data.Dataset.range(mine.start, mine.stop).interleave(
            weave,
            cycle_length=len(mine),
            block_length=share.global_batch_size // lanes,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        batches = tf.data.Dataset.range(split.batches(share))
        drawn = batches.map(
            lambda batch: _parted(
                {
                    "row": tf.cast(rows, tf.int32),
                    **draws(config, margin, seed, number, batch * share.global_batch_size + rows),
                },
                few,
            )
        )
        return tf.data.Dataset.zip((records.batch(few, drop_remainder=True), drawn.unbatch()))

    @tf.autograph.experimental.do_not_convert
    def examples(elements: tf.Tensor, drawn: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        image, label, weight = split.crops(elements, drawn["offset"], input_size)
        label = _known(label, 0, split.info)
        return {"image": image, "label": label, "weight": weight, **drawn}

    stream = tf.data.Dataset.range(start[0], tf.int64.max).flat_map(epoch)
    stream = stream.skip(start[1] * rows_here // few)  # records are skipped before decoding
    stream = stream.map(examples, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _whole(stream, split, share)


def evaluation_batches(split: Split, size: int, share: Share) -> tf.data.Dataset:
    """One pass in stored order: the central `size`×`size` of each image, uint8.

    Workers take equal runs of records; their last batches are padded as in training.
    """
    check_sizes(split.info, size)
    margin = (split.info.image_size - size) // 2
    runs = epochs.runs_of(split.counts, share.worker, share.workers)
    padded = split.batches(share) * share.per_worker
    blanks = split.blanks(padded - int(sum(taken for _, taken in runs)))

    @tf.autograph.experimental.do_not_convert
    def examples(elements: tf.Tensor) -> dict[str, tf.Tensor]:
        corners = tf.fill([share.at_once, 2], margin)
        image, label, weight = split.crops(elements, corners, size)
        return {"image": image, "label": _known(label, UNLABELLED, split.info), "weight": weight}

    used = np.flatnonzero(runs[:, 1])
    shards = tf.data.Dataset.from_tensor_slices((used, *np.transpose(runs[used])))
    stream = shards.flat_map(split.elements)
    stream = stream.concatenate(blanks).batch(share.at_once, drop_remainder=True)
    stream = stream.map(examples, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _whole(stream, split, share)


def _known(labels: tf.Tensor, least: int, info: DatasetInfo) -> tf.Tensor:
    """The labels, int32 [n]. Iterating raises InvalidArgumentError for one below `least` or beyond
    the last class, as `gather` does.
    """
    return tf.gather(tf.range(least, len(info.classes)), labels - least)


def _parted(columns: dict[str, tf.Tensor], size: int) -> dict[str, tf.Tensor]:
    """[n, …] as [n / size, size, …]."""
    return {
        name: tf.reshape(column, [column.shape[0] // size, size, *column.shape[1:]])
        for name, column in columns.items()
    }


def _whole(parts: tf.data.Dataset, split: Split, share: Share) -> tf.data.Dataset:
    """A replica's batches of parts, `at_once` examples each."""
    batches = parts.batch(share.per_replica // share.at_once, drop_remainder=True)

    @tf.autograph.experimental.do_not_convert
    def joined(columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {
            name: tf.reshape(column, [share.per_replica, *column.shape[2:]])
            for name, column in columns.items()
        }

    stream = batches.map(joined).prefetch(tf.data.AUTOTUNE)
    return stream if split.memory is None else without_copies(stream)
