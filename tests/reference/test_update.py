"""The reference update and schedules: by hand, against linear algebra, against the 2012 notes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import schedules, update


def one(value: float) -> dict[str, np.ndarray]:
    return {"conv1_a/kernel": np.array([value]), "conv1_a/bias": np.array([value])}


def test_three_steps_by_hand_with_a_drop_of_the_rate():
    weights, velocity, g = one(1.0), update.zero_velocity(one(1.0)), one(2.0)
    seen = []
    for rate in (0.1, 0.1, 0.01):
        rates = update.learning_rates(weights, rate, 2 * rate)
        weights, velocity = update.momentum_update(weights, velocity, g, rates, 0.9, 0.5)
        seen.append((weights["conv1_a/kernel"][0], weights["conv1_a/bias"][0]))
    # Kernel: v = -0.05 - 0.2 = -0.25; -0.225 - 0.0375 - 0.2 = -0.4625;
    #         -0.41625 - 0.0014375 - 0.02 = -0.4376875.
    # Bias:   v = -0.4; -0.36 - 0.4 = -0.76; -0.684 - 0.04 = -0.724.
    expected = [(0.75, 0.6), (0.2875, -0.16), (-0.1501875, -0.884)]
    np.testing.assert_allclose(seen, expected, rtol=1e-13)


def test_a_frozen_layer_neither_decays_nor_coasts():
    weights = {"conv1_a/kernel": np.array([1.0]), "conv2_a/kernel": np.array([1.0])}
    velocity = {key: np.array([-0.5]) for key in weights}
    gradients = {key: np.array([3.0]) for key in weights}
    rates = update.learning_rates(weights, 0.1, 0.2, {"conv1": (0.0, 0.0)})
    new, new_velocity = update.momentum_update(weights, velocity, gradients, rates)
    assert new["conv1_a/kernel"] == 1.0
    assert new_velocity["conv1_a/kernel"] == -0.5
    assert new["conv2_a/kernel"] == pytest.approx(1 - 0.45 - 0.00005 - 0.3, rel=1e-14)
    assert velocity["conv2_a/kernel"] == -0.5  # what was given is left alone


def test_rates_by_layer_hold_in_both_towers():
    keys = ["conv1_a/kernel", "conv1_b/bias", "conv2_a/kernel", "fc8/bias", "fc8/kernel"]
    rates = update.learning_rates(keys, 0.01, 0.02, {"conv1": (1e-5, 0.002)})
    assert list(rates.values()) == [1e-5, 0.002, 0.01, 0.02, 0.01]


def test_hundred_steps_with_a_drop_equal_a_product_of_matrices():
    """With the gradient a * w the update is linear in (w, v)."""
    a, decay, momentum = 3.0, 0.0005, 0.9
    weights, velocity = {"fc8/kernel": np.array([1.0])}, {"fc8/kernel": np.array([0.0])}
    product = np.eye(2)
    for step in range(100):
        rate = 0.01 if step < 40 else 0.001
        gradients = {"fc8/kernel": a * weights["fc8/kernel"]}
        weights, velocity = update.momentum_update(
            weights, velocity, gradients, {"fc8/kernel": rate}, momentum, decay
        )
        pull = rate * (decay + a)
        product = np.array([[1 - pull, momentum], [-pull, momentum]]) @ product
    expected = product @ [1.0, 0.0]
    np.testing.assert_allclose(weights["fc8/kernel"][0], expected[0], rtol=1e-10)
    np.testing.assert_allclose(velocity["fc8/kernel"][0], expected[1], rtol=1e-10)


@given(st.floats(-10, 10), st.integers(1, 50), st.floats(0, 0.99))
def test_velocity_of_a_constant_gradient(g, steps, momentum):
    weights, velocity = {"fc8/bias": np.zeros(1)}, {"fc8/bias": np.zeros(1)}
    for _ in range(steps):
        weights, velocity = update.momentum_update(
            weights, velocity, {"fc8/bias": np.array([g])}, {"fc8/bias": 0.1}, momentum
        )
    expected = -0.1 * g * (1 - momentum**steps) / (1 - momentum)
    np.testing.assert_allclose(velocity["fc8/bias"], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("epoch", "rate", "conv1_rate", "noise"),
    [
        # The notes' epochs 1, 24, 25, 50, 51, 66, 67, 72, 79 and 90.
        (0, 1e-2, 1e-2, 0.1),
        (23, 1e-2, 1e-2, 0.1),
        (24, 1e-3, 1e-3, 0.1),
        (49, 1e-3, 1e-3, 0.1),
        (50, 1e-4, 1e-4, 0.1),
        (65, 1e-4, 1e-4, 0.1),
        (66, 1e-4, 1e-5, 0),
        (71, 1e-4, 0, 0),
        (78, 1e-5, 0, 0),
        (89, 1e-5, 0, 0),
    ],
)
def test_net_145(epoch, rate, conv1_rate, noise):
    expected = schedules.Stage(rate, conv1_rate, 0.02, noise, False)
    assert schedules.net_145(epoch) == expected
    assert schedules.net_145(epoch, restart=True) == expected


def test_net_145_stops_or_restarts():
    assert schedules.net_145(90).stopped
    again = [schedules.net_145(epoch, restart=True) for epoch in (90, 105, 106, 122, 123, 133, 134)]
    assert [stage.rate for stage in again] == [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5, 1e-5]
    assert [stage.color_noise for stage in again] == [0.1, 0.1, 0.1, 0.1, 0, 0, 0]
    assert {stage.conv1_rate for stage in again} == {0}
    assert [stage.stopped for stage in again] == [False] * 6 + [True]


def test_plateau_divides_three_times_then_ends():
    errors = [0.9, 0.8, 0.8, 0.7, 0.71, 0.7, 0.65, 0.66, 0.6]
    rates, finished = schedules.plateau(errors, 0.01)
    expected = [1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-5, 1e-5, 1e-5, 1e-5]
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    assert finished == 7


def test_plateau_with_patience_and_a_least_improvement():
    errors = [0.5, 0.499, 0.498, 0.48, 0.479, 0.49, 0.4]
    rates, finished = schedules.plateau(errors, 1.0, patience=2, min_delta=0.01)
    np.testing.assert_allclose(rates, [1, 1, 0.1, 0.1, 0.1, 0.01, 0.01], rtol=1e-12)
    assert finished is None
    rates, _ = schedules.plateau([0.5, 0.5, 0.4, 0.4], 1.0, patience=2)
    assert rates == [1, 1, 1, 1]  # an improvement resets the count


def test_schedules_of_the_2012_code():
    assert schedules.linear(0.25, 1.0, 100.0) == pytest.approx(0.7525)
    assert schedules.exp(0.5, 0.02, 4000) == pytest.approx(0.02 / math.sqrt(4000))
    for schedule in (schedules.linear, schedules.exp):
        assert schedule(0, 0.01, 1000) == pytest.approx(0.01)
        assert schedule(1, 0.01, 1000) == pytest.approx(1e-5)
    # dexp[1000, 4]: 1e-2, 1e-3, 1e-4, 1e-5, a quarter of the time each.
    # At 0.25, 0.5 and 0.75 themselves, the older one.
    progress = (0, 0.249, 0.25, 0.251, 0.5, 0.749, 0.75, 0.751, 1)
    rates = [schedules.dexp(p, 0.01, 1000, 4) for p in progress]
    expected = [1e-2, 1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5]
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_jdexp_jumps_between_steps():
    progress = (0, 0.2, 0.26, 0.374, 0.376, 0.49, 0.5, 0.63, 0.74, 0.76, 0.88, 0.9, 1)
    rates = [schedules.jdexp(p, 0.01, 1000, 4) for p in progress]
    exponents = [2, 2, 3, 3, 2.5, 2.5, 2.5, 3.5, 3.5, 5, 4.5, 5, 5]
    np.testing.assert_allclose(rates, [10.0**-e for e in exponents], rtol=1e-12)


def test_cosine_with_warm_up():
    rates = [schedules.cosine(step, 110, 0.4, warmup=10) for step in (0, 5, 10, 60, 110, 200)]
    np.testing.assert_allclose(rates, [0, 0.2, 0.4, 0.2, 0, 0], atol=1e-15)
    assert schedules.cosine(75, 100, 1.0, final=0.1) == pytest.approx(
        0.1 + 0.9 * (1 - math.sqrt(0.5)) / 2
    )
