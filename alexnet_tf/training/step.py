"""One training step, traced once and run on every replica."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import tensorflow as tf

from alexnet_tf import step_context
from alexnet_tf.errors import ConfigError
from alexnet_tf.evaluation.metrics import COLUMNS, per_example
from alexnet_tf.network.weights import Weight
from alexnet_tf.training.loss_scale import LossScale, all_finite
from alexnet_tf.training.optimizers.optimizer import Optimizer
from alexnet_tf.training.products import fast_gradients

Batch = dict[str, tf.Tensor]  # of one replica, see `data.reader.training_batches`
Images = tf.Tensor | dict[str, tf.Tensor]  # float32 [b, S, S, 3], or such a tensor by tower
NetworkInput = Callable[[Batch, tf.Tensor], Images]  # of a batch and color noise's coefficient
# Logits float32 [b, classes] of images, the dropout masks' seed int32 [2], and int32 [b], the
# examples' rows in the global batch.
Forward = Callable[[Images, tf.Tensor, tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class StepInputs:
    """What a step is given besides its batch."""

    rates: tuple[float, ...]  # one for each weight; 0 freezes it: it has not even a gradient
    noise: float  # the coefficient of color noise
    seed: tuple[int, int]  # of the dropout masks

    @property
    def unfrozen(self) -> tuple[int, ...]:
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

    def __call__(self, iterator: Iterator[Batch], inputs: Sequence[StepInputs]) -> tf.Tensor:
        """As many steps as there are inputs, each on the next global batch, in one execution.

        All must freeze the same weights, and a batch be left for each. Returns the sums of
        `metrics.COLUMNS` over each batch, float32 [steps, 4].
        """
        key = (inputs[0].unfrozen, len(inputs) > 1)
        if key not in self._traced:
            traced = self._several if key[1] else self._single
            self._traced[key] = tf.function(functools.partial(traced, key[0]), autograph=False)
        columns = zip(*((step.rates, step.noise, step.seed) for step in inputs), strict=True)
        return self._traced[key](iterator, *map(tf.constant, columns))

    def _single(
        self,
        unfrozen: tuple[int, ...],
        iterator: Iterator[Batch],
        rates: tf.Tensor,
        noises: tf.Tensor,
        seeds: tf.Tensor,
    ) -> tf.Tensor:
        """One step: rates float32 [1, weights], noises float32 [1], seeds int32 [1, 2]."""
        return self._step(unfrozen, iterator, rates[0], noises[0], seeds[0])[None]

    def _several(
        self,
        unfrozen: tuple[int, ...],
        iterator: Iterator[Batch],
        rates: tf.Tensor,
        noises: tf.Tensor,
        seeds: tf.Tensor,
    ) -> tf.Tensor:
        """n steps: rates float32 [n, weights], noises float32 [n], seeds int32 [n, 2]."""
        count = tf.shape(rates)[0]

        def step(i: tf.Tensor, sums: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            return i + 1, sums.write(
                i, self._step(unfrozen, iterator, rates[i], noises[i], seeds[i])
            )

        start = (0, tf.TensorArray(tf.float32, count, element_shape=[len(COLUMNS)]))
        more = lambda i, _: i < count  # noqa: E731
        return tf.while_loop(more, step, start, parallel_iterations=1)[1].stack()

    def _step(
        self,
        unfrozen: tuple[int, ...],
        iterator: Iterator[Batch],
        rates: tf.Tensor,
        noise: tf.Tensor,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        def replica(batch: Batch, rates: tf.Tensor, noise: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            with step_context.using(fused=self.jit_compile == "elementwise"):
                return self._replica(batch, rates, noise, seed, unfrozen)

        batch = self._timed(iterator) if self.timed else iterator.get_next()
        sums = self.strategy.run(replica, args=(batch, rates, noise, seed))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)

    def _replica(
        self,
        batch: Batch,
        rates: tf.Tensor,
        noise: tf.Tensor,
        seed: tf.Tensor,
        unfrozen: tuple[int, ...],
    ) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        count = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.reduce_sum(batch["weight"]))
        compute = self._gradients
        if self.jit_compile == "all":
            compute = tf.function(compute, jit_compile=True, autograph=False)
        first, *others = self._split(batch)
        sums, gradients = compute(first, count, noise, seed, unfrozen)
        for part in others:
            with tf.control_dependencies(gradients):  # one part after the other, or no gain
                part_sums, more = compute(part, count, noise, seed, unfrozen)
            sums += part_sums
            gradients = [a + b for a, b in zip(gradients, more, strict=True)]
        self._update(gradients, unfrozen, rates)
        return sums

    def _timed(self, iterator: Iterator[Batch]) -> Batch:
        began = tf.timestamp()
        batch = iterator.get_next()
        with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
            self._waiting.assign_add(tf.timestamp() - began)
        return batch

    def _split(self, batch: Batch) -> list[Batch]:
        if self.parts == 1:
            return [batch]
        columns = {name: tf.split(value, self.parts) for name, value in batch.items()}
        return [{name: parts[i] for name, parts in columns.items()} for i in range(self.parts)]

    def _gradients(
        self,
        batch: Batch,
        count: tf.Tensor,
        noise: tf.Tensor,
        seed: tf.Tensor,
        unfrozen: tuple[int, ...],
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Sums of the metrics' columns, float32 [4]; gradients of the global batch's mean loss by
        the unfrozen weights, times the loss scale. Args: count, the global batch's images.
        """
        images = self.network_input(batch, noise)
        with fast_gradients(self.strategy.extended.worker_devices):
            logits = self.forward(images, seed, batch["row"])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["label"], logits)
        loss = tf.reduce_sum(losses * batch["weight"]) / count
        if self.loss_scale is not None:
            loss = loss * self.loss_scale.scale
        gradients = _gradients(loss, [self.optimizer.weights[i] for i in unfrozen])
        return tf.reduce_sum(per_example(losses, logits, batch), axis=0), gradients

    def _update(
        self, gradients: list[tf.Tensor], unfrozen: tuple[int, ...], rates: tf.Tensor
    ) -> None:
        finite = None
        if self.loss_scale is not None and unfrozen:
            gradients = self.loss_scale.unscaled(gradients)
            finite = all_finite(gradients)
            self.loss_scale.observe(finite)
        by_weight: list[tf.Tensor | None] = [None] * len(self.optimizer.weights)
        for i, gradient in zip(unfrozen, gradients, strict=True):
            by_weight[i] = gradient
        self.optimizer.apply(by_weight, rates, finite)


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
