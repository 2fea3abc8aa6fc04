import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from alexnet_tf.evaluation.ensemble import average, best_weights


def loss(weights: np.ndarray, own: np.ndarray) -> float:
    return -np.log(np.asarray(weights) @ own).mean()


def test_two_networks_by_hand():
    # Loss −(3·log w + log(1 − w))/4, for probabilities 1 and 0: lowest at w = 3/4.
    own = np.array([[1, 1, 1, 0], [0, 0, 0, 1]], float)
    np.testing.assert_allclose(best_weights(own), [0.75, 0.25], atol=1e-6)


def test_the_better_of_two_gets_everything():
    own = np.array([[0.9, 0.8, 0.7], [0.5, 0.4, 0.3]])
    np.testing.assert_allclose(best_weights(own), [1, 0], atol=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(2, 4))
def test_weights_against_scipy(seed, networks):
    own = np.random.default_rng(seed).uniform(0.01, 1, (networks, 30))
    weights = best_weights(own, steps=5000)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    found = optimize.minimize(
        loss,
        np.full(networks, 1 / networks),
        args=(own,),
        bounds=[(0, 1)] * networks,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-12},
    )
    assert loss(weights, own) <= found.fun + 1e-6


def test_average_need_not_have_weights_that_add_to_one():
    probabilities = np.array([[[0.2, 0.8]], [[0.6, 0.4]]], np.float32)
    np.testing.assert_allclose(average(probabilities, [1, 3]), [[0.5, 0.5]], atol=1e-6)


@pytest.mark.parametrize("own", [np.zeros((2, 0)), np.full((2, 3), 1.5), np.full((2, 3), np.nan)])
def test_no_probabilities_are_refused(own):
    with pytest.raises(ValueError, match="expected probabilities"):
        best_weights(own)


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1.0, 1e300, 1.7e308])
def test_weights_of_any_size_average_alike(scale):
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), (2, 5)).astype(np.float32)
    received = average(probabilities, np.array([1.0, 1.0]) * scale)
    np.testing.assert_allclose(received, probabilities.mean(axis=0), rtol=1e-6)
