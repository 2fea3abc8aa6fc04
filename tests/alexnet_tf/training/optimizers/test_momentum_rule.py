"""The update: by hand with a drop of the rate, then against NumPy over a hundred steps."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.config.schema import MomentumConfig, OptimizerConfig
from alexnet_tf.network.weights import Weight
from alexnet_tf.training.optimizers.momentum_rule import momentum_velocity
from alexnet_tf.training.optimizers.optimizer import Optimizer
from tests.alexnet_tf.training.one_device import strategy
from tests.reference import update as reference

SHAPES = {"conv1_a/kernel": (3, 2), "conv1_a/bias": (2,), "fc8/kernel": (2, 4), "fc8/bias": (4,)}


class Rig:
    """An optimizer over a few variables, fed with gradients from outside."""

    def __init__(self, config: OptimizerConfig, values: dict[str, np.ndarray]):
        self.strategy = strategy()
        with self.strategy.scope():
            weights = []
            for name, value in values.items():
                layer, kind = name.split("/")
                layer, _, tower = layer.partition("_")
                variable = tf.Variable(np.asarray(value, np.float32))
                weights.append(Weight(layer, tower, kind, variable))
            self.optimizer = Optimizer(config, weights)
        self._apply = {}

    def step(self, gradients: dict[str, np.ndarray], rates: dict[str, float], finite=None):
        names = [weight.name for weight in self.optimizer.weights]
        moving = tuple(rates[name] > 0 for name in names)
        if (moving, finite is None) not in self._apply:

            @tf.function
            def apply(gradients, rates, finite):
                given = [g if m else None for g, m in zip(gradients, moving, strict=True)]
                self.strategy.run(self.optimizer.apply, args=(given, rates, finite))

            self._apply[moving, finite is None] = apply
        self._apply[moving, finite is None](
            [tf.constant(gradients[name], tf.float32) for name in names],
            tf.constant([rates[name] for name in names], tf.float32),
            finite if finite is None else tf.constant(finite),
        )

    @property
    def weights(self):
        return {w.name: w.variable.numpy() for w in self.optimizer.weights}

    @property
    def velocities(self):
        pairs = zip(self.optimizer.weights, self.optimizer.velocities, strict=True)
        return {w.name: v.numpy() for w, v in pairs}


def test_four_steps_by_hand_with_a_drop_of_the_rate():
    """m = 0.9, decay 0.5, gradient 2 throughout; the rate falls from 0.1 to 0.01 after step 2.

    Weight 1:  v = -0.05 - 0.2 = -0.25,                        w = 0.75
               v = -0.225 - 0.0375 - 0.2 = -0.4625,            w = 0.2875
               v = -0.41625 - 0.0014375 - 0.02 = -0.4376875,   w = -0.1501875
               v = -0.39391875 + 0.0007509375 - 0.02 = -0.4131678125, w = -0.5633553125
    With the rate outside of the velocity, step 3 would have moved by a tenth of that.
    Bias 1 (rate twice as high, no decay): v = -0.4, -0.76, -0.724, -0.6916.
    """
    rig = Rig(MomentumConfig(weight_decay=0.5), {"fc8/kernel": [1.0], "fc8/bias": [1.0]})
    seen = []
    for rate in (0.1, 0.1, 0.01, 0.01):
        gradient = {"fc8/kernel": [2.0], "fc8/bias": [2.0]}
        rig.step(gradient, {"fc8/kernel": rate, "fc8/bias": 2 * rate})
        seen.append((rig.weights["fc8/kernel"][0], rig.weights["fc8/bias"][0]))
    expected = [(0.75, 0.6), (0.2875, -0.16), (-0.1501875, -0.884), (-0.5633553125, -1.5756)]
    np.testing.assert_allclose(seen, expected, rtol=1e-6)


def test_biases_decay_only_if_told_to():
    rig = Rig(MomentumConfig(weight_decay=0.5, decay_biases=True), {"fc8/bias": [1.0]})
    rig.step({"fc8/bias": [0.0]}, {"fc8/bias": 0.1})
    np.testing.assert_allclose(rig.weights["fc8/bias"], [0.95], rtol=1e-6)


def test_a_frozen_layer_neither_decays_nor_coasts_and_keeps_its_velocity():
    rig = Rig(MomentumConfig(weight_decay=0.5), {"conv1_a/kernel": [1.0], "fc8/kernel": [1.0]})
    gradient = {name: [2.0] for name in rig.weights}
    rig.step(gradient, {"conv1_a/kernel": 0.1, "fc8/kernel": 0.1})
    before = rig.weights["conv1_a/kernel"].copy(), rig.velocities["conv1_a/kernel"].copy()
    for _ in range(3):
        rig.step(gradient, {"conv1_a/kernel": 0.0, "fc8/kernel": 0.1})
    np.testing.assert_array_equal(rig.weights["conv1_a/kernel"], before[0])
    np.testing.assert_array_equal(rig.velocities["conv1_a/kernel"], before[1])
    assert rig.weights["fc8/kernel"] < -0.5
    # Thawed, it goes on with the velocity that it had: 0.9 · (−0.25) − 0.1 · (2 + 0.5 · 0.75).
    rig.step(gradient, {"conv1_a/kernel": 0.1, "fc8/kernel": 0.1})
    np.testing.assert_allclose(rig.velocities["conv1_a/kernel"], [-0.4625], rtol=1e-6)


def test_a_step_with_everything_frozen_changes_nothing():
    rig = Rig(MomentumConfig(), {"fc8/kernel": [1.0]})
    rig.step({"fc8/kernel": [2.0]}, {"fc8/kernel": 0.0})
    assert rig.weights["fc8/kernel"] == [1.0]


def test_an_overflowed_step_changes_neither_weights_nor_velocities():
    rig = Rig(MomentumConfig(), {"fc8/kernel": [1.0, 1.0]})
    rates = {"fc8/kernel": 0.1}
    rig.step({"fc8/kernel": [2.0, 1.0]}, rates, finite=True)
    weights, velocities = rig.weights, rig.velocities
    rig.step({"fc8/kernel": [np.inf, 1.0]}, rates, finite=False)
    rig.step({"fc8/kernel": [np.nan, 1.0]}, rates, finite=False)
    np.testing.assert_array_equal(rig.weights["fc8/kernel"], weights["fc8/kernel"])
    np.testing.assert_array_equal(rig.velocities["fc8/kernel"], velocities["fc8/kernel"])


def test_hundred_steps_against_numpy_with_drops_and_a_frozen_layer():
    """Within float32's rounding, all of it in one direction.

    A step rounds a velocity at most five times (three products, two sums) by 2^-24 of its size, of
    which momentum 0.9 keeps ten steps' worth; a weight rounds once and takes the velocity's error.
    """
    rng = np.random.default_rng(0)
    values = {n: rng.normal(size=s).astype(np.float32) for n, s in SHAPES.items()}
    rig = Rig(MomentumConfig(momentum=0.9, weight_decay=0.02), values)
    weights = {n: v.astype(np.float64) for n, v in values.items()}
    velocity = reference.zero_velocity(weights)
    largest = largest_velocity = 0.0
    for step in range(100):
        rate = 0.1 if step < 30 else 0.01 if step < 60 else 0.001
        own = {"conv1": (0.0, 0.0)} if 40 <= step < 50 else {}
        rates = reference.learning_rates(weights, rate, 0.02, own)
        gradients = {n: rng.normal(size=s) for n, s in SHAPES.items()}
        rig.step(gradients, rates)
        weights, velocity = reference.momentum_update(
            weights, velocity, gradients, rates, 0.9, 0.02
        )
        largest = max(largest, *(np.abs(w).max() for w in weights.values()))
        largest_velocity = max(largest_velocity, *(np.abs(v).max() for v in velocity.values()))
        off = 2.0**-24 * 50 * largest_velocity
        off_weight = (step + 1) * (2.0**-24 * largest + off)
        for name in SHAPES:
            np.testing.assert_allclose(
                rig.weights[name], weights[name], 0, off_weight, err_msg=f"step {step}, {name}"
            )
            np.testing.assert_allclose(
                rig.velocities[name], velocity[name], 0, off, err_msg=f"step {step}, {name}"
            )


def test_it_is_keras_sgd_with_the_decay_in_the_loss():
    """Keras' SGD holds the rate inside the velocity too; decay as λ/2·|w|² in the loss."""
    variable = tf.Variable([1.0, -2.0])
    sgd = keras.optimizers.SGD(0.1, momentum=0.9)
    rig = Rig(MomentumConfig(weight_decay=0.25), {"fc8/kernel": [1.0, -2.0]})
    rng = np.random.default_rng(1)
    for rate in (0.1, 0.1, 0.01, 0.01, 0.001):
        gradient = rng.normal(size=2).astype(np.float32)
        sgd.learning_rate.assign(rate)
        sgd.apply_gradients([(gradient + 0.25 * variable, variable)])
        rig.step({"fc8/kernel": gradient}, {"fc8/kernel": rate})
        np.testing.assert_allclose(rig.weights["fc8/kernel"], variable.numpy(), rtol=1e-5)


finite = st.floats(-100, 100)


@given(finite, finite, finite, st.floats(1e-5, 1), st.floats(0, 0.99), st.floats(0, 1))
def test_decay_goes_through_the_velocity(w, v, g, rate, momentum, decay):
    """Decay λ is the gradient of λ/2·w²; and the update is linear in (w, v, g)."""
    new = momentum_velocity(w, v, g, rate, momentum, decay)
    assert new == pytest.approx(momentum_velocity(w, v, g + decay * w, rate, momentum, 0.0))
    doubled = momentum_velocity(2 * w, 2 * v, 2 * g, rate, momentum, decay)
    assert doubled == pytest.approx(2 * new)
