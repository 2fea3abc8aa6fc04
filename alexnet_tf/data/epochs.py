"""An epoch's elements: which shards, in which order, which part of them.

An epoch is woven from *lanes*: the shards, in the epoch's order, are cut into equal runs of
records, and every global batch takes equally many from each. A worker reads the lanes of its rows,
hence its own files (and part of one more at either end), and a global batch holds the same images
in the same rows however many workers and replicas share it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from alexnet_tf.config.schema import DataConfig
from alexnet_tf.data.draws import ORDER, SHUFFLE, seed_of
from alexnet_tf.data.split import Share, Split, within

READ_AT_ONCE = 16  # shards open at a time, over all lanes


def lanes_of_epoch(
    split: Split, config: DataConfig, share: Share, lanes: int, seed: int, epoch: tf.Tensor
) -> Callable[[tf.Tensor], tf.data.Dataset]:
    """A function from a lane's number to its elements in the epoch's order, padded with blanks."""
    order, counts = tf.range(len(split.counts)), tf.constant(split.counts, tf.int64)
    total, shuffled = sum(split.counts), config.order == "shuffled"
    padded = split.batches(share) * share.global_batch_size // lanes
    if shuffled:
        order = tf.random.experimental.stateless_shuffle(order, seed_of(seed, epoch, ORDER, 0))
        counts = tf.gather(counts, order)
    begins = tf.cumsum(counts, exclusive=True)

    def lane(number: tf.Tensor) -> tf.data.Dataset:
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
                    [], seed_of(seed, epoch, SHUFFLE, number), None, None, tf.int64
                ),
                reshuffle_each_iteration=False,
            )
        else:
            elements = shards.flat_map(split.elements)
        return elements.concatenate(split.blanks(padded - (high - low)))

    return lane


def runs_of(counts: list[int], part: int, parts: int) -> np.ndarray:
    """What `part` of `parts` equal runs reads of shards in a row: int64 [shards, (skip, take)]."""
    total = sum(counts)
    return within(counts, part * total // parts, (part + 1) * total // parts)
