"""How much more data would decide an inconclusive claim."""

import math

import numpy as np
import pytest

from alexnet_tf.reproduction.result import Result
from alexnet_tf.reproduction.statistics import paired_difference
from alexnet_tf.reproduction.undecided import sentence, times


def result(effect, low, high, **changes):
    given = {"effect": effect, "low": low, "high": high, "kind": "lower", "within": None}
    given |= {"verdict": "inconclusive", "covered": "pictures and seeds"}
    return Result.model_construct(**(given | changes))


@pytest.mark.parametrize(
    ("numbers", "within", "expected"),
    [
        ((-0.01, -0.02, 0.01), None, 4),  # an end at 0 needs half the width
        ((0.01, -0.03, 0.02), None, 16),  # on the other side of 0
        ((0.0, -0.01, 0.01), None, math.inf),
        ((0.012, 0.008, 0.016), 0.01, 4),  # of a figure: over its bound, from outside
        ((0.005, -0.005, 0.015), 0.01, 4),  # and from within
    ],
)
def test_an_interval_that_has_to_narrow(numbers, within, expected):
    kind = "lower" if within is None else "figure"
    assert times(result(*numbers, within=within, kind=kind)) == pytest.approx(expected)


def test_nothing_is_said_where_nothing_can_be_told():
    assert times(result(-0.01, -0.02, -0.005, verdict="verified")) is None
    assert times(result(4.0, 1.0, None, kind="ratio")) is None
    assert times(result(-0.01, None, None)) is None
    # Contradicted, but by a shortened training, which refutes no published figure.
    assert times(result(0.02, 0.015, 0.03, within=0.01, kind="figure")) is None
    assert sentence(result(-0.01, -0.02, -0.005, verdict="verified")) == ""


def test_in_words():
    undecided = result(-0.01, -0.02, 0.01)
    one = "pictures only: one seed does not show how trainings differ"
    assert "4.0 times as many pictures and seeds would decide it" in sentence(undecided)
    assert "4.0 times as many pictures would" in sentence(result(-0.01, -0.02, 0.01, covered=one))
    assert "4.0 times as many seeds would" in sentence(result(-0.01, -0.02, 0.01, covered="seeds"))
    assert "no number of pictures and seeds" in sentence(result(0.0, -0.01, 0.01))


def test_as_many_pictures_do_decide_it():
    """The same pictures several times over: just fewer than that leave it open."""
    rng = np.random.default_rng(0)
    arms = list(rng.random((2, 1, 2000)) < [[[0.30]], [[0.31]]])
    estimate = [end / 100 for end in paired_difference(*arms)]
    factor = times(result(*estimate, covered="pictures only"))
    assert factor > 1.1
    for often, decided in ((math.floor(factor - 0.05), False), (math.ceil(factor + 0.05), True)):
        _, low, high = paired_difference(*(np.tile(arm, often) for arm in arms))
        assert (low > 0 or high < 0) == decided
