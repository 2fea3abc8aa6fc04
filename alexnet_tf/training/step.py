"""One training step, traced once and run on every replica."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from alexnet_tf import step_context
from alexnet_tf.errors import ConfigError
from alexnet_tf.evaluation.metrics import COLUMNS, per_example
from alexnet_tf.network.weights import Weight
from alexnet_tf.training.loss_scale import LossScale, all_finite
from alexnet_tf.training.optimizers.optimizer import Optimizer
from alexnet_tf.training.products import fast_gradients

NetworkInput = Callable[[dict, tf.Tensor], tf.Tensor]  # (batch, noise coefficient) → images
Forward = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]  # (images, seed, rows) → logits


@dataclass(frozen=True)
class Arguments:
    """What a step is given besides its batch."""

    rates: tuple[float, ...]  # one for each weight; 0 freezes it: it has not even a gradient
    noise: float  # the coefficient of color noise
    seed: tuple[int, int]  # of the dropout masks

    @property
    def moving(self) -> tuple[int, ...]:
        """Numbers of the weights that are not frozen."""
        return tuple(i for i, rate in enumerate(self.rates) if rate > 0)


class TrainingStep:
    """Input transform, network, mean loss over the global batch, gradients, update, metrics.

    `tf.gradients` with colocation puts the gradient of an operation on that operation's device;
    a GradientTape would put all of them, and tower b's backward pass, on the replica's own.

    Args:
        accumulation_steps: each replica works its batch through in so many parts and adds their
            gradients up: the same update (the loss is a sum over examples), in less memory.
        loss_scale: for float16; a step whose gradients overflow changes no weight.
        jit_compile: what XLA compiles, as `training.jit_compile` says.
        timed: measures how long steps wait for input, which deterministic mode forbids.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        optimizer: Optimizer,
        network_input: NetworkInput,
        forward: Forward,
        accumulation_steps: int = 1,
        loss_scale: LossScale | None = None,
        jit_compile: str = "elementwise",
        timed: bool = True,
    ):
        self.strategy, self.optimizer = strategy, optimizer
        self.network_input, self.forward = network_input, forward
        self.parts, self.loss_scale, self.timed = accumulation_steps, loss_scale, timed
        self.jit_compile = jit_compile
        self._traced: dict[tuple[tuple[int, ...], bool], Callable] = {}
        with tf.device("CPU:0"):
            self._waiting = tf.Variable(0.0, trainable=False, dtype=tf.float64)

    def take_waiting(self) -> float:
        """Seconds for which steps waited for their input since this was last asked."""
        seconds = float(self._waiting.numpy())
        self._waiting.assign(0.0)
        return seconds

    def __call__(self, iterator, arguments: Sequence[Arguments]) -> tf.Tensor:
        """As many steps as there are arguments, each on the next global batch, in one execution.

        All must move the same weights, and a batch be left for each. Returns the sums of
        `metrics.COLUMNS` over each batch, float32 [steps, 4].
        """
        key = (arguments[0].moving, len(arguments) > 1)
        if key not in self._traced:
            traced = self._several if key[1] else self._single
            self._traced[key] = tf.function(functools.partial(traced, key[0]), autograph=False)
        columns = zip(*((one.rates, one.noise, one.seed) for one in arguments), strict=True)
        return self._traced[key](iterator, *map(tf.constant, columns))

    def _single(self, moving, iterator, rates, noises, seeds) -> tf.Tensor:
        return self._step(moving, iterator, rates[0], noises[0], seeds[0])[None]

    def _several(self, moving, iterator, rates, noises, seeds) -> tf.Tensor:
        count = tf.shape(rates)[0]

        def one(i, sums):
            found = self._step(moving, iterator, rates[i], noises[i], seeds[i])
            return i + 1, sums.write(i, found)

        start = (0, tf.TensorArray(tf.float32, count, element_shape=[len(COLUMNS)]))
        going = lambda i, _: i < count  # noqa: E731
        return tf.while_loop(going, one, start, parallel_iterations=1)[1].stack()

    def _step(self, moving: tuple[int, ...], iterator, rates, noise, seed) -> tf.Tensor:
        def replica(batch, rates, noise, seed):
            with step_context.using(fused=self.jit_compile == "elementwise"):
                return self._replica(batch, rates, noise, seed, moving)

        batch = self._timed(iterator) if self.timed else iterator.get_next()
        sums = self.strategy.run(replica, args=(batch, rates, noise, seed))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)

    def _replica(self, batch, rates, noise, seed, moving: tuple[int, ...]) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        count = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.reduce_sum(batch["weight"]))
        compute = self._gradients
        if self.jit_compile == "all":
            compute = tf.function(compute, jit_compile=True, autograph=False)
        first, *others = self._split(batch)
        sums, gradients = compute(first, count, noise, seed, moving)
        for part in others:
            with tf.control_dependencies(gradients):  # one part after the other, or no gain
                own, found = compute(part, count, noise, seed, moving)
            sums += own
            gradients = [a + b for a, b in zip(gradients, found, strict=True)]
        self._update(gradients, moving, rates)
        return sums

    def _timed(self, iterator):
        began = tf.timestamp()
        batch = iterator.get_next()
        with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
            self._waiting.assign_add(tf.timestamp() - began)
        return batch

    def _split(self, batch: dict[str, tf.Tensor]) -> list[dict[str, tf.Tensor]]:
        if self.parts == 1:
            return [batch]
        columns = {name: tf.split(value, self.parts) for name, value in batch.items()}
        return [{name: parts[i] for name, parts in columns.items()} for i in range(self.parts)]

    def _gradients(self, batch, count, noise, seed, moving) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Sums of the metrics' columns; gradients of the global batch's mean loss, scaled."""
        images = self.network_input(batch, noise)
        with fast_gradients():
            logits = self.forward(images, seed, batch["row"])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["label"], logits)
        loss = tf.reduce_sum(losses * batch["weight"]) / count
        if self.loss_scale is not None:
            loss = loss * self.loss_scale.scale
        found = _gradients(loss, [self.optimizer.weights[i] for i in moving])
        return tf.reduce_sum(per_example(losses, logits, batch), axis=0), found

    def _update(self, found: list[tf.Tensor], moving: tuple[int, ...], rates: tf.Tensor) -> None:
        finite = None
        if self.loss_scale is not None and moving:
            found = self.loss_scale.unscaled(found)
            finite = all_finite(found)
            self.loss_scale.observe(finite)
        gradients: list[tf.Tensor | None] = [None] * len(self.optimizer.weights)
        for i, gradient in zip(moving, found, strict=True):
            gradients[i] = gradient
        self.optimizer.apply(gradients, rates, finite)


def check_parts(replica_batch: int, parts: int) -> None:
    """Raises ConfigError where a replica's batch cannot be worked through in equal parts."""
    if replica_batch % parts:
        raise ConfigError(
            f"training.accumulation_steps: expected a divisor of a replica's batch of"
            f" {replica_batch}, received {parts}"
        )


def _gradients(loss: tf.Tensor, weights: Sequence[Weight]) -> list[tf.Tensor]:
    handles = [weight.variable.handle for weight in weights]
    return tf.compat.v1.gradients(loss, handles, colocate_gradients_with_ops=True)
