"""One training step, traced once and run on every replica."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from alexnet_tf.metrics import per_example
from alexnet_tf.training.optimizer import Momentum
from alexnet_tf.weights import Weight

NetworkInput = Callable[[dict, tf.Tensor], tf.Tensor]  # (batch, noise coefficient) → images
Forward = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]  # (images, seed, rows) → logits


class TrainingStep:
    """Input transform, network, mean loss over the global batch, gradients, update, metrics.

    `tf.gradients` with colocation puts the gradient of an operation on that operation's device;
    a GradientTape would put all of them, and tower b's backward pass, on the replica's own.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        optimizer: Momentum,
        network_input: NetworkInput,
        forward: Forward,
    ):
        self.strategy, self.optimizer = strategy, optimizer
        self.network_input, self.forward = network_input, forward
        self._traced: dict[tuple[int, ...], Callable] = {}

    def __call__(
        self, iterator, rates: Sequence[float], noise: float, seed: tuple[int, int]
    ) -> tf.Tensor:
        """Takes the next global batch; returns the sums of `metrics.COLUMNS` over it, float32 [4].

        Args: rates, one for each weight (0 freezes it: its gradient is not even computed); noise,
        the coefficient of color noise; seed of the dropout masks.
        """
        moving = tuple(i for i, rate in enumerate(rates) if rate > 0)
        if moving not in self._traced:
            self._traced[moving] = self._trace(moving)
        return self._traced[moving](
            iterator, tf.constant(rates), tf.constant(noise), tf.constant(seed, tf.int32)
        )

    def _trace(self, moving: tuple[int, ...]) -> Callable:
        weights = self.optimizer.weights

        def replica(batch, rates, noise, seed):
            images = self.network_input(batch, noise)
            logits = self.forward(images, seed, batch["row"])
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["label"], logits)
            context = tf.distribute.get_replica_context()
            count = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.reduce_sum(batch["weight"]))
            loss = tf.reduce_sum(losses * batch["weight"]) / count
            found = _gradients(loss, [weights[i] for i in moving])
            gradients = [None] * len(weights)
            for i, gradient in zip(moving, found, strict=True):
                gradients[i] = gradient
            self.optimizer.apply(gradients, rates)
            return tf.reduce_sum(per_example(losses, logits, batch), axis=0)

        @tf.function
        def step(iterator, rates, noise, seed):
            sums = self.strategy.run(replica, args=(next(iterator), rates, noise, seed))
            return self.strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)

        return step


def _gradients(loss: tf.Tensor, weights: Sequence[Weight]) -> list[tf.Tensor]:
    handles = [weight.variable.handle for weight in weights]
    return tf.compat.v1.gradients(loss, handles, colocate_gradients_with_ops=True)
