"""Rates measured in turns, so that a busy moment of the machine falls on all cases alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf


def measure(
    cases: Mapping[str, Callable[[], float]],
    seconds: float = 1.0,
    rounds: int = 5,
    settling: float = 0.0,
) -> dict[str, float]:
    """Items a second of each case: the median of `rounds` turns of about `seconds` each.

    Args: cases, functions that do some work to its end and return how many items it was. One call
    before the clock starts lets TensorFlow trace and allocate; `settling`, seconds for which a case
    is called at the beginning of each of its turns, uses up what a pipeline made ahead meanwhile.
    """
    for case in cases.values():
        case()
    rates = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            ready = time.perf_counter() + settling
            while time.perf_counter() < ready:
                case()
            items, began = 0.0, time.perf_counter()
            while (spent := time.perf_counter() - began) < seconds:
                items += case()
            rates[name].append(items / spent)
    return {name: statistics.median(turns) for name, turns in rates.items()}


def matrix_rate(dtype: tf.DType = tf.float32, size: int = 3072) -> Callable[[], float]:
    """A case whose items are floating-point operations of large matrix products."""
    a, b = (tf.cast(tf.random.normal([size, size]), dtype) for _ in range(2))

    @tf.function
    def product(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(tf.matmul(a, b))

    def case() -> float:
        product(a, b).numpy()
        return 2.0 * size**3

    return case


def copy_rate(bytes_moved: int = 256 << 20) -> Callable[[], float]:
    """A case whose items are bytes read and written by copying."""
    source = np.ones(bytes_moved // 8, np.float32)
    target = np.empty_like(source)

    def case() -> float:
        np.copyto(target, source)
        return 2.0 * source.nbytes

    return case
