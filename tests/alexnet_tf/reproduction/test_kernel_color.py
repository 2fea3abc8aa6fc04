"""How colored kernels are, by hand; and how often chance divides them as two towers do."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from alexnet_tf.reproduction.kernel_color import (
    Kernels,
    chance,
    color_share,
    difference,
    kernels_of,
)


def kernels(*colors) -> np.ndarray:
    """[1, 1, 3, n] of weights for red, green and blue."""
    return np.array(colors, float).T[None, None]


def tower(*pairs) -> Kernels:
    """Of (energy, color) of each kernel."""
    energy, color = zip(*pairs, strict=True)
    return Kernels(energy=energy, color=color)


def test_by_hand():
    found = kernels_of(kernels((1, 1, 1), (1, -1, 0), (3, 0, 0), (0, 0, 0)))
    assert found.energy == (3, 2, 9, 0)
    assert found.color == pytest.approx((0, 2, 2**2 + 1 + 1, 0))
    assert color_share(found) == pytest.approx(8 / 14)
    assert color_share(tower((0, 0), (0, 0))) == 0


@given(arrays.arrays(np.float64, (2, 3, 3, 4), elements=st.floats(-10, 10)))
def test_grey_and_color_add_up_and_size_does_not_matter(weights):
    grey = np.repeat(weights.mean(axis=2, keepdims=True), 3, axis=2)
    found = kernels_of(weights)
    np.testing.assert_allclose(
        np.array(found.energy) - found.color, (grey**2).sum((0, 1, 2)), rtol=1e-4, atol=1e-3
    )
    assert sum(kernels_of(grey).color) <= 1e-9
    larger = kernels_of(1000 * weights)
    assert color_share(larger) == pytest.approx(color_share(found), abs=1e-4)


def test_random_weights_are_two_thirds_color():
    weights = np.random.default_rng(0).normal(size=(11, 11, 3, 500))
    assert color_share(kernels_of(weights)) == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize("shape", [(3, 3, 4, 5), (3, 3, 3), (5, 3)])
def test_other_arrays_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected kernels \[height, width, 3, units\]"):
        kernels_of(np.zeros(shape))


def test_against_all_divisions():
    """Of 4 + 3 kernels there are 35."""
    rng = np.random.default_rng(1)
    energy = rng.uniform(1, 2, 7)
    color = energy * rng.random(7)
    parts = [(c, sorted(set(range(7)) - set(c))) for c in itertools.combinations(range(7), 4)]
    differences = [
        abs(
            color[list(one)].sum() / energy[list(one)].sum()
            - color[rest].sum() / energy[rest].sum()
        )
        for one, rest in parts
    ]
    for one, rest in parts[::6]:
        towers = [tower(*zip(energy[list(p)], color[list(p)], strict=True)) for p in (one, rest)]
        own = difference(towers)
        expected = np.mean([other >= own - 1e-9 for other in differences])
        assert chance(towers) == pytest.approx(expected, abs=0.02)
        assert chance(towers[::-1]) == pytest.approx(expected, abs=0.02)


def test_a_grey_and_a_colored_tower_are_no_chance_and_equal_ones_are():
    grey, colored = tower(*[(1, 0.1)] * 24), tower(*[(1, 0.9)] * 24)
    assert difference([grey, colored]) == pytest.approx(0.8)
    assert chance([grey, colored]) == pytest.approx(1e-4)
    assert chance([grey, grey]) == 1


def test_towers_dealt_by_chance_are_rarely_found_to_differ():
    """A share of 0.1 of p values is at most 0.1."""
    rng, found = np.random.default_rng(2), []
    for _ in range(100):
        dealt = [tower(*((1, c) for c in rng.random(6) ** 3)) for _ in "ab"]
        found.append(chance(dealt) <= 0.1)
    assert np.mean(found) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 100)


def test_by_how_much_chance_lets_towers_of_24_kernels_differ():
    """As claim imagenet-specialization says: half of the kernels colored, energies unlike."""
    rng, found = np.random.default_rng(0), []
    for _ in range(4000):
        color = np.concatenate([rng.uniform(0.6, 1, 24), rng.uniform(0, 0.3, 24)])
        energy, order = rng.lognormal(0, 0.6, 48), rng.permutation(48)
        shares = [np.average(color[part], weights=energy[part]) for part in np.split(order, 2)]
        found.append(abs(shares[0] - shares[1]))
    assert np.mean(found) == pytest.approx(0.09, abs=0.01)
    assert np.quantile(found, 0.99) == pytest.approx(0.30, abs=0.02)
