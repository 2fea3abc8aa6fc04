"""A slope over several arms against least squares, differences of two arms and Student's t."""

import math

import numpy as np
import pytest
from scipy import stats

from alexnet_tf.reproduction.slope import paired_slope, weights_of
from alexnet_tf.reproduction.statistics import paired_difference

PLACES = (-3.0, -2.0, -1.0, 0.0)
WEIGHTS = (-0.3, -0.1, 0.1, 0.3)  # less the mean: −1.5, −0.5, 0.5, 1.5, whose squares sum to 5
RNG = np.random.default_rng(3)


def arms(*errors, seeds=2, pictures=500):
    return [RNG.random((seeds, pictures)) < error for error in errors]


def test_weights_by_hand():
    assert weights_of(PLACES) == pytest.approx(WEIGHTS)
    assert weights_of((1, 0)) == pytest.approx((1, -1))


def test_the_line_of_least_squares():
    places, wrong = (0.0, 1.0, 1.6, 4.0), arms(0.6, 0.5, 0.45, 0.2)
    expected = np.polyfit(places, [arm.mean() for arm in wrong], 1)[0]
    assert paired_slope(wrong, places).value == pytest.approx(100 * expected)


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_of_two_arms_it_is_their_difference(seeds):
    wrong, kin = arms(0.3, 0.4, seeds=seeds), arms(0.2, 0.5)
    for others in ((), kin):
        found = paired_slope(wrong, (1, 0), others)
        assert found == pytest.approx(paired_difference(*wrong, kin=others))
        half_as_steep = paired_slope(wrong, (7, 5), others)
        assert half_as_steep == pytest.approx([end / 2 for end in found])


def test_one_seed_each_by_hand():
    """Of each picture WEIGHTS · (1, 1, 0, 0) = −0.4 for 100 of 400, else 0; ±0.4 √½ are added."""
    hard, none = np.arange(400)[None] < 100, np.zeros((1, 400), bool)
    value, low, high = paired_slope([hard, hard, none, none], PLACES)
    center = -0.4 * 100 / 402
    half = stats.norm.ppf(0.975) * math.sqrt((0.16 * 101 / 402 - center**2) / 402)
    assert value == pytest.approx(-10)
    assert (low, high) == pytest.approx((100 * (center - half), 100 * (center + half)))


def test_pictures_that_are_hard_for_all_arms_make_no_interval_wider():
    easy = arms(0.1, 0.1, 0.1, 0.1)
    hard = [np.concatenate([arm, np.ones((2, 500), bool)], axis=1) for arm in easy]
    widths = [
        np.ptp(paired_slope([arm[:1] for arm in wrong], PLACES)[1:]) for wrong in (easy, hard)
    ]
    assert widths[1] == pytest.approx(widths[0] / 2, rel=0.03)  # of twice as many pictures


def test_seeds_that_differ_alike_on_all_pictures_are_students_t():
    """Σ w² = 0.2; the arms' variances are pooled over 4 + kin's 1 degrees of freedom."""
    errors = np.array([[0.6, 0.62], [0.5, 0.49], [0.45, 0.47], [0.2, 0.24]])
    kin = np.array([0.3, 0.33])
    pictures = np.ones(200_000)
    found = paired_slope(
        [np.outer(e, pictures) for e in errors], PLACES, kin=[np.outer(kin, pictures)]
    )
    variance = (errors.var(axis=1, ddof=1).sum() + kin.var(ddof=1)) / 5
    half = stats.t.ppf(0.975, 5) * math.sqrt(variance * 0.2 / 2)
    assert found.value == pytest.approx(100 * np.dot(WEIGHTS, errors.mean(axis=1)))
    assert found.high - found.value == pytest.approx(100 * half, rel=1e-3)


def test_of_differences_at_two_places_it_is_a_difference_of_differences():
    """Weights 1, −1 and −1, 1 of four arms: of each picture −2 to 2; ±2 √½ are added."""
    wrong, than = arms(0.2, 0.4, seeds=1), arms(0.3, 0.35, seeds=1)
    value, low, high = paired_slope(wrong, (1, 0), than=than)
    each = (wrong[0].astype(float) - than[0] - wrong[1] + than[1])[0]
    padded = np.append(each, [math.sqrt(2), -math.sqrt(2)])
    half = stats.norm.ppf(0.975) * padded.std() / math.sqrt(502)
    assert value == pytest.approx(100 * each.mean())
    assert (low, high) == pytest.approx(
        (100 * (padded.mean() - half), 100 * (padded.mean() + half))
    )


@pytest.mark.parametrize(("drawn", "repeated"), [(True, 0.2 / 2 + 0.2 / 1), (False, 0.2 / 2)])
def test_what_no_seed_has_drawn_spreads_with_none(drawn, repeated):
    errors = np.array([[0.6, 0.62], [0.5, 0.49], [0.45, 0.47], [0.2, 0.24]])
    pictures = np.ones(200_000)
    wrong = [np.outer(e, pictures) for e in errors]
    than = [np.outer([e], pictures) for e in (0.7, 0.65, 0.6, 0.55)]
    found = paired_slope(wrong, PLACES, than=than, drawn=drawn)
    half = stats.t.ppf(0.975, 4) * math.sqrt(errors.var(axis=1, ddof=1).mean() * repeated)
    expected = np.dot(WEIGHTS, errors.mean(axis=1)) + 0.05
    assert found.value == pytest.approx(100 * expected)
    assert found.high - found.value == pytest.approx(100 * half, rel=1e-3)


@pytest.mark.parametrize("places", [(1.0,), (2.0, 2.0), (1.0, math.inf), (1.0, math.nan)])
def test_no_line_is_refused(places):
    with pytest.raises(ValueError, match="expected two places or more"):
        weights_of(places)


def test_other_pictures_or_another_number_of_arms_are_refused():
    with pytest.raises(ValueError, match="expected 4 arms on the same pictures"):
        paired_slope(arms(0.1, 0.1, 0.1), PLACES)
    with pytest.raises(ValueError, match="expected 2 arms on the same pictures"):
        paired_slope([*arms(0.1), *arms(0.1, pictures=499)], (0, 1))
