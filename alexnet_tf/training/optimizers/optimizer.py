"""The optimizer: one update of all weights, from gradients summed over the replicas.

How one weight is updated says a module of rules: `momentum_rule` (the paper's), `keras_rules`
(Keras 3) or `addons_rules` (TensorFlow Addons, with Keras 2.15). Each gives two functions:

    check(config)                    raises ConfigError where the installed versions lack it
    rule(config, variable, decay)    returns (update, state): `update(variable, gradient, rate)`
                                     changes a weight on one device, by a float32 gradient of its
                                     shape and a scalar rate; `state` is the optimizer's own
                                     variables, by group ("velocities", "steps", …)

Every weight has a rule of its own, so that rates differ by weight, a frozen weight's steps are not
counted, and the state lies on the devices of its weight.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType

import tensorflow as tf

from alexnet_tf import step_context
from alexnet_tf.compat import optimizers_by_keras
from alexnet_tf.config.schema import OptimizerConfig
from alexnet_tf.network.weights import Weight
from alexnet_tf.training.gradients import GradientSum
from alexnet_tf.training.optimizers import addons_rules, keras_rules, momentum_rule


def check(config: OptimizerConfig) -> None:
    """Raises ConfigError where the installed versions have no such optimizer."""
    _rules(config).check(config)


class Optimizer:
    """The optimizer that a config names, over named weights.

    Create it under the strategy's scope, when the weights have their values. `state` is what a
    checkpoint holds of it: tf.Variables by group and by the weight's name.

    Raises ConfigError where the installed versions have no such optimizer.
    """

    def __init__(self, config: OptimizerConfig, weights: Sequence[Weight]):
        check(config)
        self.config, self.weights = config, tuple(weights)
        strategy = tf.distribute.get_strategy()
        self.gradient_sum = GradientSum(strategy, self.weights)
        self.state: dict[str, dict[str, tf.Variable]] = {}
        self._updates: list[Callable] = []
        for weight in self.weights:
            decay = config.decay_of(weight.layer, weight.kind)
            with strategy.extended.colocate_vars_with(weight.variable):
                update, state = _rules(config).rule(config, weight.variable, decay)
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
        """Inside a replica: sums gradients over the replicas and updates every weight.

        Args: gradients, one for each weight, None for a frozen one, which then neither decays nor
        coasts (2012: src/weights.cu skips a weight of rate 0); rates float32 [weights]; finite, a
        bool alike on all replicas: where it is false, nothing changes.
        """
        unfrozen = [i for i, gradient in enumerate(gradients) if gradient is not None]
        if not unfrozen:
            return
        values = [gradients[i] for i in unfrozen]
        arguments = (unfrozen, values, rates, finite, step_context.current().fused)
        tf.distribute.get_replica_context().merge_call(self._on_all_replicas, args=arguments)

    def _on_all_replicas(
        self,
        strategy: tf.distribute.Strategy,
        unfrozen: Sequence[int],
        gradients: Sequence,
        rates: tf.Tensor,
        finite: tf.Tensor | None,
        fuse: bool,
    ) -> None:
        """What `apply` does once all replicas have come.

        In this (cross-replica) context arguments come as one value for each replica, in another
        thread than the step context was entered in.
        """

        def first_replicas(value: object) -> object:
            return strategy.experimental_local_results(value)[0]

        unfrozen, rates, finite, fuse = map(first_replicas, (unfrozen, rates, finite, fuse))
        if strategy.num_replicas_in_sync == 1:  # spares a copy of every gradient
            summed = [first_replicas(gradient) for gradient in gradients]
        else:
            summed = self.gradient_sum([self.weights[i] for i in unfrozen], gradients)
        for i, gradient in zip(unfrozen, summed, strict=True):
            arguments = (self._updates[i], gradient, rates[i], finite, fuse)
            strategy.extended.update(self.weights[i].variable, _update, args=arguments, group=False)


def _update(
    variable: tf.Variable,
    update: Callable,
    gradient: tf.Tensor,
    rate: tf.Tensor,
    finite: tf.Tensor | None,
    fuse: bool,
) -> None:
    """One weight on one device; nothing where `finite` is given and false."""

    def applied() -> bool:
        with step_context.using(fused=fuse):
            update(variable, gradient, rate)
        return True

    if finite is None:
        applied()
    else:
        tf.cond(finite, applied, lambda: False)


def _rules(config: OptimizerConfig) -> ModuleType:
    if config.name == "momentum":
        return momentum_rule
    return keras_rules if optimizers_by_keras() else addons_rules


@contextlib.contextmanager
def averaged(optimizer: Optimizer) -> Iterator[None]:
    """Within it, weights whose optimizer averages them have their average's value.

    Afterwards, they have their own again, to the bit.
    """
    averages = optimizer.state.get("averages", {})
    weights = [weight for weight in optimizer.weights if weight.name in averages]
    trained = [weight.variable.numpy() for weight in weights]
    try:
        for weight in weights:
            weight.variable.assign(averages[weight.name].numpy())
        yield
    finally:
        for weight, value in zip(weights, trained, strict=True):
            weight.variable.assign(value)
