"""Random numbers that depend on (seed, epoch, place in the epoch) alone."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from alexnet_tf.config.schema import DataConfig

# Streams of random numbers that never meet: of a chunk's crop and flip, an example's noise, the
# shards' order, a lane's shuffling.
CROP, NOISE, ORDER, SHUFFLE = range(4)
_PHILOX = 1  # whose counter can start anywhere: four numbers a place, whatever was drawn before


def seed_of(seed: int, epoch: tf.Tensor, stream: int, number: tf.Tensor | int) -> tf.Tensor:
    """int64 [2], different for different arguments (below 2³¹ seeds and 2³⁰ epochs)."""
    return tf.stack(
        [(tf.cast(epoch, tf.int64) * 2**31 + seed) * 4 + stream, tf.cast(number, tf.int64)]
    )


def draws(config: DataConfig, margin: int, seed: int, epoch: tf.Tensor, places: tf.Tensor) -> dict:
    """Crop, flip and noise of examples at places in a row of the epoch, int64 [n].

    `chunk` examples in a row share crop and flip.
    """
    chunks = places // config.chunk
    shared = _numbers(tf.raw_ops.StatelessRandomUniformV2, seed_of(seed, epoch, CROP, 0), chunks)
    noise = _numbers(tf.raw_ops.StatelessRandomNormalV2, seed_of(seed, epoch, NOISE, 0), places)
    positions = config.crop_positions or margin + 1
    first = (margin + 1 - positions) // 2  # the middle ones: a single one is where tests look
    offset = tf.cast(shared[:, :2] * positions, tf.int32)
    return {
        "offset": first + tf.minimum(offset, positions - 1),  # rounding could reach `positions`
        "flip": (shared[:, 2] < 0.5) if config.flip else tf.zeros(tf.shape(places), tf.bool),
        "noise": noise[:, :3],
    }


def _numbers(distribution: Callable, seed: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """float32 [n, 4] for ascending places without gaps; each row depends on its place alone."""
    key = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed).key
    count = tf.cast(places[-1] - places[0] + 1, tf.int32)
    counter = tf.cast(tf.stack([places[0], 0]), tf.uint64)
    drawn = distribution(shape=tf.stack([count, 4]), key=key, counter=counter, alg=_PHILOX)
    return tf.gather(drawn, places - places[0])
