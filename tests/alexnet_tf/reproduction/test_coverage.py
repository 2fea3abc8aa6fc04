"""How often the intervals hold the truth, and how often a false claim would pass, by simulation.

Pictures differ in difficulty, and a picture is wrong with the probability logistic(difficulty +
the seed's own effect), so that seeds agree on many pictures, as trained networks do.
"""

import itertools
import math

import numpy as np
import pytest

from alexnet_tf.reproduction.estimate import verdict
from alexnet_tf.reproduction.seed_numbers import ratio
from alexnet_tf.reproduction.slope import paired_slope, weights_of
from alexnet_tf.reproduction.statistics import error_interval, paired_difference

TIMES, PICTURES = 500, 400
BETTER = (0, math.inf)  # the claim that the first arm errs more
ALLOWED = 3 * math.sqrt(0.05 * 0.95 / TIMES)  # three standard deviations of a share of 5 %


def difficulties(rng, count=TIMES):
    return rng.normal(-1.6, 2, (count, 1, PICTURES)).astype(np.float32)


def arms(rng, difficulty, seeds, own):
    """bool [times, seeds, pictures]; own, the standard deviation of the seeds' effects."""
    effects = rng.normal(0, own, (len(difficulty), seeds, 1)).astype(np.float32)
    right = 1 + np.exp(-(difficulty + effects))
    return rng.random(right.shape, np.float32) * right < 1


@pytest.mark.parametrize(
    ("seeds", "own"),
    [(1, 0.0), *itertools.product([2, 3, 5], [0.0, 0.1, 0.5])],  # one seed cannot show its effect
)
def test_a_difference_of_zero(seeds, own):
    rng = np.random.default_rng(seeds)
    pictures = difficulties(rng)
    pairs = zip(*(arms(rng, pictures, seeds, own) for _ in "ab"), strict=True)
    found = [paired_difference(*pair) for pair in pairs]
    held = np.mean([low <= 0 <= high for _, low, high in found])
    assert held >= 0.95 - ALLOWED
    passed = np.mean([verdict(low, high, BETTER) == "verified" for _, low, high in found])
    assert passed <= 0.025 + ALLOWED


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_arms_whose_seeds_scatter_unlike(seeds):
    """The spread of both is pooled: where one has none, the level falls, but not below 90 %."""
    rng = np.random.default_rng(7)
    pictures = difficulties(rng)
    pairs = zip(arms(rng, pictures, seeds, 0), arms(rng, pictures, seeds, 0.2), strict=True)
    many = arms(rng, difficulties(rng, 2000), 5, 0.2).mean()
    truth = 100 * (arms(rng, difficulties(rng, 2000), 5, 0).mean() - many)
    held = np.mean(
        [low <= truth <= high for _, low, high in (paired_difference(*p) for p in pairs)]
    )
    assert held >= 0.90 - ALLOWED


@pytest.mark.parametrize(("seeds", "least"), [(2, 0.5), (3, 0.9), (5, 0.97)])
def test_a_true_difference_is_seen(seeds, least):
    """Of about 6 points, on 400 pictures."""
    rng = np.random.default_rng(11)
    pictures = difficulties(rng)
    pairs = zip(
        arms(rng, pictures + 0.5, seeds, 0.02), arms(rng, pictures, seeds, 0.02), strict=True
    )
    found = [verdict(*paired_difference(*pair)[1:], BETTER) for pair in pairs]
    assert found.count("contradicted") == 0
    assert found.count("verified") >= least * TIMES


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_an_error(seeds):
    rng = np.random.default_rng(seeds)
    own = 0.2 if seeds > 1 else 0
    truth = 100 * arms(rng, difficulties(rng, 3000), 5, own).mean()
    found = [error_interval(arm) for arm in arms(rng, difficulties(rng), seeds, own)]
    assert np.mean([low <= truth <= high for _, low, high in found]) >= 0.95 - ALLOWED


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("own", [0.0, 0.2])
def test_a_difference_with_kin(seeds, own):
    """Six other networks of two seeds each: the level holds, also of single seeds."""
    rng = np.random.default_rng(seeds)
    pictures = difficulties(rng)
    shifts = (0, 0, 0.1, 0.2, -0.1, -0.2)
    kin = zip(*(arms(rng, pictures + shift, 2, own) for shift in shifts), strict=True)
    pairs = zip(*(arms(rng, pictures, seeds, own) for _ in "ab"), strict=True)
    found = [paired_difference(*pair, kin=k) for pair, k in zip(pairs, kin, strict=True)]
    assert np.mean([low <= 0 <= high for _, low, high in found]) >= 0.95 - ALLOWED
    passed = np.mean([verdict(low, high, BETTER) == "verified" for _, low, high in found])
    assert passed <= 0.025 + ALLOWED


@pytest.mark.parametrize(("seeds", "own"), [(1, 0.0), (2, 0.0), (2, 0.3)])
@pytest.mark.parametrize("rise", [0.0, 0.6])
def test_a_slope(seeds, own, rise):
    """Of four arms, flat or falling."""
    rng = np.random.default_rng(seeds)
    places = np.arange(4.0)
    shifts = rise * places
    many = [arms(rng, difficulties(rng, 3000) + shift, 1, own).mean() for shift in shifts]
    truth = 100 * np.dot(weights_of(places), many) if rise else 0
    pictures = difficulties(rng)
    groups = zip(*(arms(rng, pictures + shift, seeds, own) for shift in shifts), strict=True)
    found = [paired_slope(group, places) for group in groups]
    held = np.mean([low <= truth <= high for _, low, high in found])
    assert held >= 0.95 - ALLOWED
    passed = np.mean([verdict(low, high, BETTER) == "verified" for _, low, high in found])
    assert passed <= 0.025 + ALLOWED if not rise else passed >= 0.97


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_a_ratio(seeds):
    rng = np.random.default_rng(seeds)
    first, second = np.exp(rng.normal([[[1.5]], [[0.0]]], 0.2, (2, TIMES, seeds)))
    found = [ratio(*pair) for pair in zip(first, second, strict=True)]
    held = np.mean([low <= math.exp(1.5) <= high for _, low, high in found])
    assert abs(held - 0.95) <= ALLOWED
    cut = np.quantile(first, 0.5)  # half of the runs end before they get there
    late = np.where(first > cut, math.inf, first)
    ends = np.full(seeds, cut)
    bounds = [
        ratio(*pair, ends=(ends, np.full(seeds, np.inf))) for pair in zip(late, second, strict=True)
    ]
    assert np.mean([low <= math.exp(1.5) <= high for _, low, high in bounds]) >= 0.95 - ALLOWED
