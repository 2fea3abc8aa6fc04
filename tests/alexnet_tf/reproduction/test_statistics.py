"""Estimates and verdicts against closed forms, SciPy's t intervals and an analysis of variance."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from alexnet_tf.evaluation.interval import wilson
from alexnet_tf.reproduction.estimate import verdict
from alexnet_tf.reproduction.seed_numbers import mean_difference, ratio
from alexnet_tf.reproduction.statistics import (
    covered,
    error_interval,
    mcnemar,
    paired_difference,
)

Z95, T95 = 1.959963984540054, {2: 4.302652729749464, 4: 2.7764451051977987}
RNG = np.random.default_rng(5)


def test_one_seed_each_is_agresti_and_min():
    # 400 pictures: 30 on which the first alone is wrong, 12 the second alone, 40 both.
    first, second = np.zeros((1, 400), bool), np.zeros((1, 400), bool)
    first[0, :30] = second[0, 30:42] = True
    first[0, 42:82] = second[0, 42:82] = True
    value, low, high = paired_difference(first, second)
    center = 18 / 402  # 30.5 − 12.5, of 402
    half = Z95 * math.sqrt((43 / 402 - center**2) / 402)
    assert value == pytest.approx(100 * 18 / 400)
    assert (low, high) == pytest.approx((100 * (center - half), 100 * (center + half)))


def test_equal_networks_differ_by_at_most_some_pictures():
    wrong = RNG.random((1, 1000)) < 0.2
    value, low, high = paired_difference(wrong, wrong)
    assert value == 0
    assert -low == pytest.approx(high) == pytest.approx(100 * Z95 / 1002)


def test_seeds_that_agree_on_every_picture_count_as_one():
    first, second = RNG.random((2, 1, 500)) < 0.3
    assert paired_difference(first.repeat(3, 0), second.repeat(4, 0)) == pytest.approx(
        paired_difference(first, second)
    )


def test_seeds_that_differ_alike_on_all_pictures_are_a_t_test():
    first, second = np.array([0.20, 0.24, 0.19]), np.array([0.26, 0.21, 0.27])
    pictures = np.ones(200_000)
    found = paired_difference(np.outer(first, pictures), np.outer(second, pictures))
    expected = stats.ttest_ind(first, second, equal_var=True).confidence_interval(0.95)
    assert found[1:] == pytest.approx((100 * expected.low, 100 * expected.high), rel=1e-3)


def test_same_runs_are_a_paired_t_test():
    first, second = np.array([0.20, 0.24, 0.19]), np.array([0.21, 0.26, 0.21])
    pictures = np.ones(200_000)
    found = paired_difference(np.outer(first, pictures), np.outer(second, pictures), True)
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert found[1:] == pytest.approx((100 * expected.low, 100 * expected.high), rel=1e-3)


@pytest.mark.parametrize("own", [0.0, 0.1])  # share of pictures that a seed's own effect turns
def test_against_an_analysis_of_variance(own):
    """Of a table seeds × pictures: the variance of its mean is (MS_s + MS_p − MS_sp) / SP."""
    seeds, pictures = 5, 4000
    table = (RNG.random((seeds, pictures)) < RNG.beta(0.3, 1, pictures)).astype(float)
    table[0] = np.maximum(table[0], RNG.random(pictures) < own)
    mean, rows, columns = table.mean(), table.mean(1, keepdims=True), table.mean(0, keepdims=True)
    of_seeds = pictures * ((rows - mean) ** 2).sum() / (seeds - 1)
    of_pictures = seeds * ((columns - mean) ** 2).sum() / (pictures - 1)
    rest = ((table - rows - columns + mean) ** 2).sum() / (seeds - 1) / (pictures - 1)
    t, z, cells = T95[4], Z95, seeds * pictures
    half = math.sqrt((z**2 * (of_pictures - rest) + max(t**2 * of_seeds, z**2 * rest)) / cells)
    value, low, high = error_interval(table)
    assert value == pytest.approx(100 * mean)
    assert (high - low) / 2 == pytest.approx(100 * half, rel=5e-3)
    assert (high + low) / 2 == pytest.approx(100 * mean, rel=5e-3)


def test_the_error_of_one_seed_is_wilsons():
    wrong = RNG.random((1, 300)) < 0.15
    low, high = wilson(wrong.mean(), 300)
    assert error_interval(wrong) == pytest.approx((100 * wrong.mean(), 100 * low, 100 * high))


@pytest.mark.parametrize("errors", [0, 300])
def test_an_error_at_either_end_keeps_an_interval_within_0_and_100(errors):
    wrong = np.arange(300)[None].repeat(3, 0) < errors
    value, low, high = error_interval(wrong)
    assert 0 <= low <= value <= high <= 100
    assert high - low > 0.5


@pytest.mark.parametrize(
    ("one", "other", "p"),
    [(1, 7, 18 / 256), (0, 3, 2 / 8), (4, 4, 1.0), (0, 0, 1.0), (0, 10, 2 / 1024)],
)
def test_mcnemar_by_hand(one, other, p):
    first, second = np.zeros((2, 40), bool)
    first[:one] = second[one : one + other] = True
    first[30:] = second[30:] = True
    assert mcnemar(first, second) == pytest.approx((one, other, p))


def test_ratio_by_hand():
    # Logarithms 1, 3 and 0, 2: means 2 and 1, variance 2 with two degrees of freedom.
    first, second = np.exp([1.0, 3.0]), np.exp([0.0, 2.0])
    half = T95[2] * math.sqrt(2 * (1 / 2 + 1 / 2))
    assert ratio(first, second) == pytest.approx((math.e, math.exp(1 - half), math.exp(1 + half)))


@given(*(st.lists(st.floats(0.1, 100), min_size=2, max_size=5) for _ in range(2)))
def test_the_inverse_ratio_has_the_inverse_interval(first, second):
    value, low, high = ratio(first, second)
    back = ratio(second, first)
    assert back.value == pytest.approx(1 / value)
    assert low <= value <= high
    assert back.low * high == pytest.approx(1) or high == math.inf or back.low == 0


def test_a_run_that_did_not_get_there_bounds_the_ratio():
    second = [4.0, 5.0, 6.0]
    ends = [40.0, 40.0, 40.0], [12.0, 12.0, 12.0]
    open_ended = ratio([30.0, math.inf, math.inf], second, ends)
    assert open_ended.high == math.inf
    assert open_ended.value == pytest.approx((30 * 40 * 40) ** (1 / 3) / 120 ** (1 / 3))
    spread = np.log(second).std(ddof=1)
    half = T95[2] * spread * math.sqrt(1 / 3 + 1 / 3)
    assert open_ended.low == pytest.approx(open_ended.value * math.exp(-half))
    turned = ratio(second, [30.0, math.inf, math.inf], ends[::-1])
    assert turned.low == 0
    assert turned.high == pytest.approx(1 / open_ended.low)


def test_each_run_counts_to_its_own_end():
    """One that ended early is no slower for what another arm's run took."""
    first, second = [25.8, 26.5, 24.3], [math.inf] * 3
    value, low, high = ratio(first, second, ([30.0] * 3, [12.0] * 3))
    assert (value, low) == (pytest.approx(np.exp(np.log(first).mean()) / 12), 0)
    assert high > 2  # so that "over 2" is neither verified nor contradicted


@pytest.mark.parametrize(
    ("first", "second"), [([9.0], [3.0]), ([math.inf], [3.0, math.inf]), ([math.inf], [3.0])]
)
def test_without_a_spread_the_ratio_is_open(first, second):
    ends = [[20.0] * len(arm) for arm in (first, second)]
    assert ratio(first, second, ends)[1:] == (0, math.inf)


@pytest.mark.parametrize(
    ("low", "high", "claimed", "expected"),
    [
        (0.1, 2, (0, math.inf), "verified"),
        (-2, -0.1, (0, math.inf), "contradicted"),
        (-0.1, 2, (0, math.inf), "inconclusive"),
        (0, 2, (0, math.inf), "inconclusive"),  # holds zero
        (0, 0, (0, math.inf), "inconclusive"),
        (1.2, math.inf, (1, math.inf), "verified"),
        (0, math.inf, (1, math.inf), "inconclusive"),
        (17.2, 18.7, (17, 19), "verified"),
        (16.8, 18.7, (17, 19), "inconclusive"),
        (10, 30, (17, 19), "inconclusive"),
        (19.2, 20, (17, 19), "contradicted"),
    ],
)
def test_verdict(low, high, claimed, expected):
    assert verdict(low, high, claimed) == expected


def test_what_an_interval_covers():
    assert covered(1, 1).startswith("pictures only")
    assert covered(1, 3) == covered(2) == "pictures and seeds"


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (paired_difference, (np.zeros((2, 5)), np.zeros((2, 6)))),
        (paired_difference, (np.zeros(5), np.zeros(5))),
        (paired_difference, (np.zeros((0, 5)), np.zeros((2, 5)))),
        (error_interval, (np.full((2, 5), 1.5),)),
        (error_interval, (np.full((2, 5), np.nan),)),
        (mcnemar, (np.zeros(5), np.zeros(5))),
        (mcnemar, (np.zeros(5, bool), np.zeros(6, bool))),
        (ratio, ([1.0, 0.0], [1.0])),
        (ratio, ([], [1.0])),
        (ratio, ([math.inf], [1.0])),
        (ratio, ([math.inf], [5.0, 6.0], ([4.0], [5.0, 5.0]))),
        (ratio, ([math.inf], [5.0, 6.0], ([4.0], [7.0]))),
        (ratio, ([math.nan], [1.0])),
    ],
)
def test_what_is_no_measurement_is_refused(call, arguments):
    with pytest.raises(ValueError, match="expected"):
        call(*arguments)


def test_the_spread_of_kin_counts_with_that_of_the_arms():
    """Seeds that differ alike on all pictures: Student's t with the variance of all four groups."""
    first, second, *kin = rows = [
        np.array(errors) for errors in ([0.20, 0.24], [0.26], [0.31, 0.35, 0.30], [0.10, 0.11])
    ]
    freedom = 1 + 0 + 2 + 1
    variance = sum(((row - row.mean()) ** 2).sum() for row in rows) / freedom
    half = T95[freedom] * math.sqrt(variance * (1 / 2 + 1 / 1))
    pictures = np.ones(200_000)
    found = paired_difference(
        np.outer(first, pictures),
        np.outer(second, pictures),
        kin=[np.outer(row, pictures) for row in kin],
    )
    assert found.value == pytest.approx(-4)
    assert found.high - found.value == pytest.approx(100 * half, rel=1e-3)
    assert mean_difference(first, second, kin=kin) == pytest.approx(
        (-0.04, -0.04 - half, -0.04 + half)
    )
    found = error_interval(np.outer(second, pictures), kin=[np.outer(row, pictures) for row in kin])
    freedom = 2 + 1
    variance = sum(((row - row.mean()) ** 2).sum() for row in kin) / freedom
    half = stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    assert found.high - found.low == pytest.approx(200 * half, rel=1e-2)


def test_kin_of_the_same_runs_are_differences():
    """As if they were further seeds, but for the mean: Student's t of all of them."""
    pictures = np.ones(200_000)
    first, second = np.outer([0.30, 0.34], pictures), np.outer([0.20, 0.22], pictures)
    kin = [0.05, -0.01, 0.02]
    found = paired_difference(first, second, True, kin=[np.outer(kin, pictures)])
    freedom = 1 + 2
    squares = 2 * 0.01**2 + sum((number - 0.02) ** 2 for number in kin)
    assert found.value == pytest.approx(11)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(squares / freedom / 2)
    assert found.high - found.value == pytest.approx(100 * half, rel=1e-3)


def test_an_average_is_paired_with_each_of_its_networks():
    pictures = np.ones(200_000)
    networks, average = np.outer([0.30, 0.34, 0.32], pictures), np.outer([0.25], pictures)
    found = paired_difference(average, networks, same_runs=True)
    assert found.value == pytest.approx(-7)
    assert found.high - found.value == pytest.approx(100 * T95[2] * 0.02 / math.sqrt(3), rel=1e-3)


def test_no_seeds_are_allowed_for_where_none_is_drawn():
    pictures = np.ones(200_000)
    networks, baseline = np.outer([0.30, 0.34, 0.32], pictures), np.outer([0.40], pictures)
    found = paired_difference(networks, baseline, drawn=(True, False))
    assert found.high - found.value == pytest.approx(100 * T95[2] * 0.02 / math.sqrt(3), rel=1e-3)


def test_what_kin_make_of_what_is_covered():
    assert covered(1, 1, kin=[2, 3]).endswith(
        "is also that of 5 trainings of 2 networks like these"
    )
    assert "taken from 3 trainings of 1 network on the same" in covered(1, 1, kin=[3], alike=False)
