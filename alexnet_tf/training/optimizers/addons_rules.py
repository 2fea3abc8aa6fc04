"""Updates of one weight by TensorFlow Addons' optimizers, on Keras 2.15.

They are of Keras' older kind, whose documented extension point is `_resource_apply_dense`; around
it, Keras would sum gradients on the replicas' own devices and give all weights one rate. Addons
ended with Keras 2.15, so what lies below is not going to change.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from alexnet_tf.compat import addons
from alexnet_tf.config.schema import OptimizerConfig

SLOTS = {  # Addons' names → ours
    "momentum": "velocities",
    "m": "first_moments",
    "v": "second_moments",
    "slow": "slow_weights",
    "average": "averages",
}


class _Given:
    """A hyperparameter whose value is given anew for every update."""

    value: tf.Tensor | float = 0.0

    def __call__(self) -> tf.Tensor | float:
        return self.value


def check(config: OptimizerConfig) -> None:
    """Raises ConfigError where Addons are missing, or not the ones that fit."""
    addons(f"optimizer.name: {config.name}")


def rule(
    config: OptimizerConfig, variable: tf.Variable, decay: float
) -> tuple[Callable, dict[str, tf.Variable]]:
    """See `optimizer`."""
    rate, rate_decay = _Given(), _Given()
    optimizer = _optimizer(config, rate, rate_decay, decay)
    inner = getattr(optimizer, "_optimizer", None)  # of Lookahead and MovingAverage
    first = tf.VariableAggregation.ONLY_FIRST_REPLICA
    steps = tf.Variable(0, trainable=False, dtype=tf.int64, aggregation=first)
    state = {"steps": steps}
    for part in filter(None, (optimizer, inner)):
        part.iterations = steps
    optimizer._create_all_weights([variable])
    for part in filter(None, (optimizer, inner)):
        state |= {SLOTS[slot]: part.get_slot(variable, slot) for slot in part.get_slot_names()}

    def update(variable: tf.Variable, gradient: tf.Tensor, given_rate: tf.Tensor) -> None:
        rate.value, rate_decay.value = given_rate, decay * given_rate
        if decay and config.name in ("lookahead", "moving-average"):
            gradient = gradient + decay * variable
        if decay and config.name == "lamb" and config.decay == "decoupled":
            variable.assign_sub(rate_decay.value * variable)
        optimizer._resource_apply_dense(gradient, variable)
        steps.assign_add(1)

    return update, state


def _optimizer(config: OptimizerConfig, rate: _Given, rate_decay: _Given, decay: float):
    optimizers = addons(f"optimizer.name: {config.name}").optimizers
    if config.name == "lamb":
        return optimizers.LAMB(
            rate,
            config.beta_1,
            config.beta_2,
            config.epsilon,
            weight_decay=decay if config.decay == "in-ratio" else 0.0,
        )
    if config.name == "sgdw":  # Addons' decay is not times the rate
        return optimizers.SGDW(rate_decay, learning_rate=rate, momentum=config.momentum)
    momentum = keras.optimizers.legacy.SGD(rate, momentum=config.momentum)
    if config.name == "lookahead":
        return optimizers.Lookahead(momentum, config.sync_period, config.slow_step_size)
    # start_step 1: after the first update the average is the weight, as Keras has it.
    return optimizers.MovingAverage(momentum, config.average_decay, start_step=1)
