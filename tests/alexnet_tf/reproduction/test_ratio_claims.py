"""Claims of a ratio of epochs, as figure 1's: the verdict, and how its plot is drawn."""

import math

import pytest

from alexnet_tf.figures.page import style
from alexnet_tf.reproduction import claim_files, conclusion
from alexnet_tf.reproduction.plot import plot
from tests.alexnet_tf.reproduction import made_up


def epochs_to(epochs: float) -> tuple[float, ...]:
    """Training errors by epoch, falling in a straight line from 100 %, at 25 % after `epochs`."""
    return tuple(max(0.0, 1 - 0.75 * (epoch - 1) / (epochs - 1)) for epoch in range(1, 31))


@pytest.fixture
def conclude(write):
    def conclude(at_least, relu, tanh):
        """Args: epochs until 25 % of each seed."""
        comparison = {"kind": "ratio", "arm": "with", "than": "without", "at_least": at_least}
        measure = {"name": "epochs until training error", "below": 0.25}
        claim = claim_files.load(write(comparison=comparison, measure=measure))
        outcomes = {}
        for arm, numbers in (("with", relu), ("without", tanh)):
            config = claim_files.configuration(claim, "full", arm).with_classes(4)
            outcomes[arm] = [
                made_up.outcome(config, "data", seed, training_error=epochs_to(number))
                for seed, number in enumerate(numbers, 1)
            ]
        return conclusion.conclude(claim, "full", "pictures", outcomes)

    return conclude


@pytest.mark.parametrize(
    ("at_least", "verdict"),
    [(1, "verified"), (2, "verified"), (4, "inconclusive"), (6, "contradicted")],
)
def test_the_ratio_is_held_against_what_is_claimed(conclude, at_least, verdict):
    found = conclude(at_least, [5.0, 5.2, 4.8], [20.0, 21.0, 19.0])
    assert found.effect == pytest.approx((20 * 21 * 19 / (5 * 5.2 * 4.8)) ** (1 / 3))
    assert found.verdict == verdict


def test_a_training_that_does_not_get_there_bounds_the_ratio(conclude):
    found = conclude(2, [5.0, 5.2, 4.8], [20.0, 45.0, 50.0])
    assert found.arms["without"].by_seed == (pytest.approx(20), None, None)
    assert found.high is None
    assert found.effect == pytest.approx((20 * 30 * 30 / (5 * 5.2 * 4.8)) ** (1 / 3))
    assert found.verdict == "verified"


def test_the_plot_is_figure_1s(conclude):
    """Training errors alone: of the arm a solid line, of the other one a dashed one."""
    found = conclude(2, [5.0, 5.2, 4.8], [20.0, 21.0, math.pi * 6])
    with style():
        course = plot(found).axes[0]
    lines = {
        line.get_label(): line.get_linestyle() for line in course.lines if line.get_linewidth() > 1
    }
    assert lines == {"with, training": "-", "without, training": "--"}
