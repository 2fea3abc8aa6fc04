"""How far two ways of computing the same probabilities agree, and what the difference costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import tensorflow as tf

from alexnet_tf.evaluation.metrics import top_k_error

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


def measure(reference: Probabilities, other: Probabilities, batches: Iterable[dict]) -> Parity:
    """Compares two functions over batches of `image`, `label` and `weight` (0 for padding).

    Raises ValueError if there is no image.
    """
    sums, largest, count = [0.0] * 4, 0.0, 0
    for batch in batches:
        real = batch["weight"] > 0
        images, labels = (tf.boolean_mask(batch[key], real) for key in ("image", "label"))
        both = reference(images), other(images)
        difference = tf.reduce_max(tf.abs(both[0] - both[1])) if len(labels) else 0.0
        largest = max(largest, float(difference))
        errors = [tf.reduce_sum(top_k_error(p, labels, k)) for p in both for k in (1, 5)]
        sums = [a + float(b) for a, b in zip(sums, errors, strict=True)]
        count += len(labels)
    if not count:
        raise ValueError("expected at least one image to compare, received none")
    return Parity(count, largest, *(total / count for total in sums))
