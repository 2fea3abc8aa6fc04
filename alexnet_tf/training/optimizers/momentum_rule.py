"""The paper's update (§5): v ← m·v − λ·ε·w − ε·∂L/∂w;  w ← w + v.

The rate ε stands inside the velocity, so a drop of ε leaves the accumulated velocity as it is
(as in Keras' SGD, unlike TensorFlow 1's MomentumOptimizer, which keeps ε outside), and the decay
λ goes through the velocity, unlike decoupled weight decay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

from alexnet_tf.config.schema import MomentumConfig
from alexnet_tf.step_context import fusible

Numbers = TypeVar("Numbers", float, tf.Tensor)


def momentum_velocity(
    weight: Numbers,
    velocity: Numbers,
    gradient: Numbers,
    rate: Numbers,
    momentum: float,
    decay: float,
) -> Numbers:
    """The new velocity; the new weight is weight + that. Numbers, arrays or tensors of one shape.

    Args: rate ε > 0; momentum m in [0, 1); decay λ ≥ 0.
    """
    return momentum * velocity - rate * (gradient + decay * weight)


_velocity = fusible(momentum_velocity)


def check(config: MomentumConfig) -> None:
    """Every version of TensorFlow has it."""


def rule(
    config: MomentumConfig, variable: tf.Variable, decay: float
) -> tuple[Callable, dict[str, tf.Variable]]:
    """See `optimizer`. The velocity starts at zero."""
    velocity = tf.Variable(tf.zeros_like(variable), trainable=False)

    def update(variable: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor) -> None:
        new = _velocity(
            variable.read_value(), velocity.read_value(), gradient, rate, config.momentum, decay
        )
        velocity.assign(new)
        # In place, unless others read the buffer; a compiled assignment would not ask.
        variable.assign_add(new)

    return update, {"velocities": velocity}
