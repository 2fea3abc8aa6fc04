"""Optimizers taken from Keras 3 or TensorFlow Addons, with `Momentum`'s interface.

Each weight has an optimizer of its own, so that rates differ by weight, a frozen weight's steps are
not counted, and an optimizer's variables lie on the devices of their weight. Gradients are summed
over the replicas here, as for `Momentum`, and each library computes its update from the sum.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import tensorflow as tf

from alexnet_tf.compat import KERAS_3
from alexnet_tf.config.schema import OptimizerConfig
from alexnet_tf.network.weights import Weight
from alexnet_tf.training import addons_rules, keras_rules
from alexnet_tf.training.gradients import GradientSum
from alexnet_tf.training.optimizer import Momentum

rules = keras_rules if KERAS_3 else addons_rules


def check(config: OptimizerConfig) -> None:
    """Raises ConfigError where the installed versions have no such optimizer."""
    if config.name != "momentum":
        rules.check(config)


def create(config: OptimizerConfig, weights: Sequence[Weight]) -> Momentum | LibraryOptimizer:
    """Under the strategy's scope, with the weights' values set: the optimizer a config names.

    Raises ConfigError where the installed versions have none of that name.
    """
    check(config)
    return (Momentum if config.name == "momentum" else LibraryOptimizer)(config, weights)


class LibraryOptimizer:
    """One optimizer for each weight; `state` is by group ("velocities", "steps", …) and weight.

    A module of rules gives `rule(config, variable, decay)`: a function of (variable, gradient,
    rate) that updates the variable on one device, and the optimizer's variables by name.
    """

    def __init__(self, config: OptimizerConfig, weights: Sequence[Weight]):
        self.config, self.weights = config, tuple(weights)
        strategy = tf.distribute.get_strategy()
        self.gradient_sum = GradientSum(strategy, self.weights)
        self.state: dict[str, dict[str, tf.Variable]] = {}
        self._updates = []
        for weight in self.weights:
            decays = weight.kind == "kernel" or config.decay_biases
            with strategy.extended.colocate_vars_with(weight.variable):
                update, state = rules.rule(
                    config, weight.variable, config.weight_decay if decays else 0.0
                )
            self._updates.append(update)
            for group, variable in state.items():
                self.state.setdefault(group, {})[weight.name] = variable

    @property
    def velocities(self) -> list[tf.Variable] | None:
        """One for each weight; None where the optimizer has none."""
        return list(self.state["velocities"].values()) if "velocities" in self.state else None

    def apply(
        self,
        gradients: Sequence[tf.Tensor | None],
        rates: tf.Tensor,
        finite: tf.Tensor | None = None,
    ) -> None:
        """As `Momentum.apply`."""
        moving = [i for i, gradient in enumerate(gradients) if gradient is not None]
        if not moving:
            return
        arguments = (moving, [gradients[i] for i in moving], rates, finite)
        tf.distribute.get_replica_context().merge_call(self._update, args=arguments)

    def _update(self, strategy, moving, gradients, rates, finite) -> None:
        local = strategy.experimental_local_results
        moving, rates, finite = (local(value)[0] for value in (moving, rates, finite))
        if strategy.num_replicas_in_sync == 1:
            summed = [local(gradient)[0] for gradient in gradients]
        else:
            summed = self.gradient_sum([self.weights[i] for i in moving], gradients)
        for i, gradient in zip(moving, summed, strict=True):
            update = self._updates[i] if finite is None else _only_if(self._updates[i])
            arguments = (gradient, rates[i], *([] if finite is None else [finite]))
            strategy.extended.update(self.weights[i].variable, update, args=arguments, group=False)


def _only_if(update):
    def conditional(variable, gradient, rate, finite):
        def applied():
            update(variable, gradient, rate)
            return True

        tf.cond(finite, applied, lambda: False)

    return conditional


@contextlib.contextmanager
def averaged(optimizer: Momentum | LibraryOptimizer) -> Iterator[None]:
    """Within it, weights whose optimizer averages them have their average's value.

    Afterwards, they have their own again, to the bit.
    """
    averages = optimizer.state.get("averages", {})
    weights = [weight for weight in optimizer.weights if weight.name in averages]
    own = [weight.variable.numpy() for weight in weights]
    try:
        for weight in weights:
            weight.variable.assign(averages[weight.name].numpy())
        yield
    finally:
        for weight, value in zip(weights, own, strict=True):
            weight.variable.assign(value)
