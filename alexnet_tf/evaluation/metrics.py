"""Top-1 and top-5 error and the log-loss, every example exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

# The columns of `per_example`, and of the sums that the loops accumulate.
COLUMNS = ("loss", "top1_error", "top5_error", "weight")


def top_k_error(scores: tf.Tensor, labels: tf.Tensor, k: int) -> tf.Tensor:
    """1 − credit for each example: float32 [b], 0 where the label is among the k highest scores.

    Ties share the credit (src/layer_kernels.cu of 2012): with g scores above the label's and t
    equal to it (itself included), the label is among the first k with chance (k − g)/t. So a
    network that answers everything alike is not called right. Scores that are no numbers are wrong.

    Args: scores [b, classes] (logits or probabilities), labels int32 [b].
    """
    true = tf.gather(scores, labels, axis=1, batch_dims=1)[:, None]
    above = tf.reduce_sum(tf.cast(scores > true, tf.float32), axis=1)
    equal = tf.reduce_sum(tf.cast(tf.equal(scores, true), tf.float32), axis=1)
    credit = tf.clip_by_value((k - above) / tf.maximum(equal, 1.0), 0.0, 1.0)
    finite = tf.reduce_all(tf.math.is_finite(scores), axis=1)
    return 1.0 - tf.where(finite, credit, 0.0)


def per_example(losses: tf.Tensor, scores: tf.Tensor, batch: dict) -> tf.Tensor:
    """float32 [b, 4]: loss, top-1 error, top-5 error, weight; all zero for padding."""
    labels, weight = batch["label"], batch["weight"]
    columns = (losses, top_k_error(scores, labels, 1), top_k_error(scores, labels, 5))
    counted = [tf.where(weight > 0, column, 0.0) for column in columns]
    return tf.stack([*counted, weight], axis=1)


@dataclass(frozen=True)
class Result:
    """Means over `examples` images: the log-loss in nats, errors as fractions."""

    loss: float
    top1_error: float
    top5_error: float
    examples: int

    @classmethod
    def from_sums(cls, sums: Sequence[float] | np.ndarray) -> Result:
        """From the column sums of `per_example`. Raises ValueError where nothing was counted."""
        loss, top1, top5, count = (float(value) for value in sums)
        if count < 1:
            raise ValueError("expected at least one example, received none")
        return cls(loss / count, top1 / count, top5 / count, round(count))
