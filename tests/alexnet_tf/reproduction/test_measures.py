"""What is taken from outcomes, by hand."""

import math

import pytest

from alexnet_tf.reproduction.measures import epochs_until


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ((0.5, 0.3, 0.1), 2.25),  # a quarter of the way from 0.3 to 0.1
        ((0.2, 0.1), 1.0),  # within the first epoch
        ((0.5, 0.25, 0.2), 2.0),  # not yet below at 2: at once after it
        ((0.5, 0.2, 0.4, 0.1), 1 + 5 / 6),  # the first time
        ((0.5, 0.4), math.inf),
        ((0.25,), math.inf),
    ],
)
def test_epochs_until_an_error(errors, expected):
    assert epochs_until(errors, 0.25) == pytest.approx(expected)
