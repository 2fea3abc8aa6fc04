"""How far two ways of computing the same probabilities agree, and what the difference costs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from alexnet_tf.data import reader
from alexnet_tf.data.split import Share, Split
from alexnet_tf.data.verification import ShardVerifier, reading
from alexnet_tf.errors import JobError
from alexnet_tf.evaluation.metrics import top_k_error
from alexnet_tf.runs.reason import reason_of

BATCH = 32
Probabilities = Callable[[tf.Tensor], tf.Tensor]  # uint8 [n, N, N, 3] → float32 [n, classes]


@dataclass(frozen=True)
class Parity:
    """Over `examples` images: errors as fractions, and the largest |p − p'| of any class."""

    examples: int
    largest_difference: float
    reference_top1_error: float
    reference_top5_error: float
    top1_error: float
    top5_error: float

    def __str__(self) -> str:
        return (
            f"over {self.examples:,} images probabilities differ by at most"
            f" {self.largest_difference:.1e}; top-1 error {self.top1_error:.2%} (trained network:"
            f" {self.reference_top1_error:.2%}), top-5 {self.top5_error:.2%}"
            f" ({self.reference_top5_error:.2%})"
        )


def measure(reference: Probabilities, other: Probabilities, split: Split) -> Parity:
    """Compares two functions over the whole images of a split.

    Raises DatasetError where a shard is missing or of another size, JobError where records cannot
    be read or are not those that dataset_info.json describes, or memory does not suffice.
    """
    try:
        with contextlib.closing(ShardVerifier(split)) as verifier, reading(split):
            measured = _measured(reference, other, split)
            verifier.check()
    except tf.errors.ResourceExhaustedError as error:
        raise JobError(f"out of memory in batches of {BATCH} images: {reason_of(error)}") from error
    return measured


def _measured(reference: Probabilities, other: Probabilities, split: Split) -> Parity:
    sums, largest, count = [0.0] * 4, 0.0, 0
    batches = reader.evaluation_batches(split, split.info.image_size, Share(BATCH))
    for batch in batches:
        real = batch["weight"] > 0
        images, labels = (tf.boolean_mask(batch[key], real) for key in ("image", "label"))
        both = reference(images), other(images)
        difference = tf.reduce_max(tf.abs(both[0] - both[1])) if len(labels) else 0.0
        largest = max(largest, float(difference))
        errors = [tf.reduce_sum(top_k_error(p, labels, k)) for p in both for k in (1, 5)]
        sums = [a + float(b) for a, b in zip(sums, errors, strict=True)]
        count += len(labels)
    return Parity(count, largest, *(total / count for total in sums))
