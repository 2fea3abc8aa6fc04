"""The paper's update (§5): v ← m·v − λ·ε·w − ε·∂L/∂w;  w ← w + v.

The rate ε stands inside the velocity, so a drop of ε leaves the accumulated velocity as it is
(as in Keras' SGD, unlike TensorFlow 1's MomentumOptimizer, which keeps ε outside), and the decay
λ goes through the velocity, unlike decoupled weight decay.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from alexnet_tf.config.schema import MomentumConfig
from alexnet_tf.fusion import fused, fusible, fusing
from alexnet_tf.network.weights import Weight
from alexnet_tf.training.gradients import GradientSum


def momentum_velocity(weight, velocity, gradient, rate, momentum: float, decay: float):
    """The new velocity; the new weight is weight + that. Arrays or tensors of one shape."""
    return momentum * velocity - rate * (gradient + decay * weight)


_velocity = fusible(momentum_velocity)


class Momentum:
    """Momentum SGD over named weights; created under the strategy's scope.

    Velocities start at zero, beside their weights (on the same devices).
    """

    def __init__(self, config: MomentumConfig, weights: Sequence[Weight]):
        self.config, self.weights = config, tuple(weights)
        strategy = tf.distribute.get_strategy()
        self.gradient_sum = GradientSum(strategy, self.weights)
        self.velocities = []
        for weight in self.weights:
            with strategy.extended.colocate_vars_with(weight.variable):
                zeros = tf.zeros_like(weight.variable)
                self.velocities.append(tf.Variable(zeros, trainable=False))

    @property
    def state(self) -> dict[str, dict[str, tf.Variable]]:
        """What a checkpoint holds of it, by group and weight."""
        pairs = zip(self.weights, self.velocities, strict=True)
        return {"velocities": {weight.name: velocity for weight, velocity in pairs}}

    def apply(
        self,
        gradients: Sequence[tf.Tensor | None],
        rates: tf.Tensor,
        finite: tf.Tensor | None = None,
    ) -> None:
        """Inside a replica: sums gradients over the replicas and updates every weight.

        Args: gradients, one for each weight, None for a frozen one, which then neither decays nor
        coasts (2012: src/weights.cu skips a weight of rate 0); rates float32 [weights]; finite, a
        bool alike on all replicas: where it is false, nothing changes.
        """
        moving = [i for i, gradient in enumerate(gradients) if gradient is not None]
        if not moving:
            return
        values = [gradients[i] for i in moving]
        arguments = (moving, values, rates, finite, fusing())
        tf.distribute.get_replica_context().merge_call(self._update, args=arguments)

    def _update(self, strategy, moving, gradients, rates, finite, fuse) -> None:
        # In cross-replica context arguments come as one value for each replica, in another thread.
        one = (_first(strategy, value) for value in (moving, rates, finite, fuse))
        moving, rates, finite, fuse = one
        if strategy.num_replicas_in_sync == 1:  # spares a copy of every gradient
            summed = [_first(strategy, gradient) for gradient in gradients]
        else:
            summed = self.gradient_sum([self.weights[i] for i in moving], gradients)
        momentum = self.config.momentum
        for i, gradient in zip(moving, summed, strict=True):
            weight = self.weights[i]
            decays = weight.kind == "kernel" or self.config.decay_biases
            decay = self.config.weight_decay if decays else 0.0

            def update(variable, velocity, gradient, rate, finite, decay=decay):
                old = velocity.read_value()
                with fused(fuse):
                    new = _velocity(variable.read_value(), old, gradient, rate, momentum, decay)
                step = new
                if finite is not None:
                    new, step = tf.where(finite, new, old), tf.where(finite, new, 0.0)
                velocity.assign(new)
                # In place, unless others read the buffer; a compiled assignment would not ask.
                variable.assign_add(step)

            arguments = (self.velocities[i], gradient, rates[i], finite)
            strategy.extended.update(weight.variable, update, args=arguments, group=False)


def _first(strategy, value):
    return strategy.experimental_local_results(value)[0]
