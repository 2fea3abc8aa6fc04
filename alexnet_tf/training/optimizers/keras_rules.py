"""Updates of one weight by Keras 3's optimizers.

`update_step` is what Keras documents for an optimizer's own mathematics; around it, Keras would sum
gradients on the replicas' own devices and give all weights one rate.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from alexnet_tf.compat import addons, expect_keras_optimizer, tf_variable
from alexnet_tf.config.schema import OptimizerConfig


class _Averaged(keras.optimizers.SGD):
    def average(self, variable: tf.Variable) -> None:
        self._update_model_variables_moving_average([variable])


def check(config: OptimizerConfig) -> None:
    """Raises ConfigError where the installed versions have no such optimizer."""
    expect_keras_optimizer(config.name)
    if config.name == "lamb" and config.decay == "in-ratio":
        addons("optimizer.decay: in-ratio")
    if config.name == "lookahead":
        addons("optimizer.name: lookahead")


def rule(
    config: OptimizerConfig, variable: tf.Variable, decay: float
) -> tuple[Callable, dict[str, tf.Variable]]:
    """See `optimizer`."""
    optimizer, names = _optimizer(config)
    optimizer.build([variable])
    steps, *slots = map(tf_variable, optimizer.variables)
    state = {"steps": steps, **dict(zip(names, slots, strict=True))}
    if "averages" in state:
        state["averages"].assign(variable)  # of a weight that never moves

    def update(variable: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor) -> None:
        if decay and config.name in ("sgdw", "lamb"):
            # Keras' own line for it sits in apply_gradients.
            variable.assign_sub(decay * rate * variable)
        elif decay:
            gradient = gradient + decay * variable
        optimizer.update_step(gradient, variable, rate)
        if config.name == "moving-average":
            optimizer.average(variable)
        steps.assign_add(1)

    return update, state


def _optimizer(config: OptimizerConfig) -> tuple[keras.optimizers.Optimizer, list[str]]:
    """The optimizer, and how its slots are called, in Keras' order."""
    unused = _no_rate  # a function makes no variable of it
    if config.name == "lamb":
        lamb = keras.optimizers.Lamb(
            unused, beta_1=config.beta_1, beta_2=config.beta_2, epsilon=config.epsilon
        )
        return lamb, ["first_moments", "second_moments"]
    velocities = ["velocities"] if config.momentum else []
    if config.name == "moving-average":
        averaged = _Averaged(
            unused, momentum=config.momentum, use_ema=True, ema_momentum=config.average_decay
        )
        return averaged, ["averages", *velocities]
    return keras.optimizers.SGD(unused, momentum=config.momentum), velocities


def _no_rate() -> float:
    return 0.0
