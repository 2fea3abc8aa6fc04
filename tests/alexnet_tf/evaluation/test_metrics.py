"""Errors and log-loss: by hand, shared credit for ties, padding, against NumPy."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from alexnet_tf.evaluation.metrics import Result, per_example, top_k_error
from tests.reference import augment as reference


def errors(scores, labels, k):
    return top_k_error(tf.constant(scores, tf.float32), tf.constant(labels, tf.int32), k).numpy()


def test_by_hand():
    scores = [[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5]]
    np.testing.assert_array_equal(errors(scores, [1, 1, 0], 1), [0, 1, 1])
    np.testing.assert_array_equal(errors(scores, [1, 1, 0], 2), [0, 0, 1])


def test_ties_share_the_credit():
    """With 1 above and 3 level, 2 places are left for the 3: the label is in the top 3 in 2/3."""
    scores = [[0.4, 0.2, 0.2, 0.2, 0.0]]
    assert errors(scores, [1], 1) == [1.0]
    assert errors(scores, [1], 3) == pytest.approx([1 / 3])
    assert errors(scores, [1], 4) == [0.0]
    assert errors(scores, [0], 1) == [0.0]


@pytest.mark.parametrize("k", [1, 5])
def test_a_network_that_answers_everything_alike_is_right_k_times_in_n(k):
    assert errors(np.zeros((2, 1000)), [0, 999], k) == pytest.approx([1 - k / 1000] * 2)


def test_fewer_classes_than_k():
    np.testing.assert_array_equal(errors([[0.1, 0.2, 0.3]], [0], 5), [0])


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_scores_that_are_no_numbers_are_wrong(wrong):
    assert errors([[wrong, 0.0, 0.0]], [0], 1) == [1.0]
    assert errors([[0.0, wrong, 0.0]], [0], 3) == [1.0]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_agrees_with_numpy(data):
    """Scores from a few values, so that ties are frequent."""
    rows, classes = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 12))
    values = st.sampled_from([0.0, 0.25, 0.5, 1.0, -3.0])
    scores = data.draw(hnp.arrays(np.float32, (rows, classes), elements=values))
    labels = data.draw(hnp.arrays(np.int32, rows, elements=st.integers(0, classes - 1)))
    for k in (1, 5):
        expected = reference.top_k_error(scores, labels, k)
        assert errors(scores, labels, k).mean() == pytest.approx(expected, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(hnp.arrays(np.float32, (4, 9), elements=st.floats(-5, 5, width=32)), st.integers(1, 9))
def test_properties(scores, k):
    """Over all labels of a row, exactly k are right; a larger k never errs more."""
    for row in scores:
        every = errors(np.tile(row, (9, 1)), np.arange(9), k)
        assert (1 - every).sum() == pytest.approx(k, abs=1e-4)
        assert (errors(np.tile(row, (9, 1)), np.arange(9), min(k + 1, 9)) <= every + 1e-6).all()


def test_padding_counts_nothing_even_where_it_is_not_finite():
    batch = {"label": tf.constant([0, 1, 0]), "weight": tf.constant([1.0, 1.0, 0.0])}
    losses = tf.constant([0.5, 2.0, math.nan])
    scores = tf.constant([[3.0, 1.0], [3.0, 1.0], [math.nan, 0.0]])
    rows = per_example(losses, scores, batch).numpy()
    np.testing.assert_allclose(rows, [[0.5, 0, 0, 1], [2, 1, 0, 1], [0, 0, 0, 0]])


def test_the_mean_is_over_what_was_counted():
    result = Result.from_sums([6.0, 2.0, 1.0, 4.0])
    assert result == Result(loss=1.5, top1_error=0.5, top5_error=0.25, examples=4)
    with pytest.raises(ValueError, match="expected at least one example"):
        Result.from_sums([0, 0, 0, 0])
