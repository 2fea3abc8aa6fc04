"""Loss scaling for float16: small gradients would vanish below 6e-8, large ones overflow 65,504.

The loss is multiplied by `scale` before the backward pass and the gradients divided by it after.
Where a gradient overflows, the step is skipped and the scale halved; after `GROW_AFTER` good steps
in a row it is doubled (Micikevicius et al. 2018, arXiv:1710.03740, section 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

INITIAL = 2.0**15
GROW_AFTER = 2000
LARGEST = 2.0**24


class LossScale:
    """The scale and its history; create it under the strategy's scope, save its `variables`."""

    def __init__(self):
        first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.scale = tf.Variable(INITIAL, trainable=False, aggregation=first)
        self.good_steps = tf.Variable(0, trainable=False, aggregation=first)

    @property
    def variables(self) -> dict[str, tf.Variable]:
        return {"scale": self.scale, "good_steps": self.good_steps}

    def unscaled(self, gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        inverse = 1.0 / self.scale.read_value()  # a power of two: exact
        return [gradient * inverse for gradient in gradients]

    def observe(self, finite: tf.Tensor) -> None:
        """Inside a replica: takes whether every gradient of every replica was finite."""
        good = tf.where(finite, self.good_steps + 1, 0)
        grows = good >= GROW_AFTER
        grown = tf.where(grows, tf.minimum(self.scale * 2.0, LARGEST), self.scale)
        self.scale.assign(tf.where(finite, grown, tf.maximum(self.scale * 0.5, 1.0)))
        self.good_steps.assign(tf.where(grows, 0, good))


def all_finite(gradients: Sequence[tf.Tensor]) -> tf.Tensor:
    """Inside a replica: bool, the same on every replica."""
    wrong = tf.add_n([tf.math.count_nonzero(~tf.math.is_finite(g)) for g in gradients])
    context = tf.distribute.get_replica_context()
    summed = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.cast(wrong > 0, tf.float32))
    return summed < 0.5
