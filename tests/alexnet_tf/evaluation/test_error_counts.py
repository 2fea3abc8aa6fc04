import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet_tf.evaluation.error_counts import BINS, ErrorCounts


def some_answers(seed: int, images: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.3), images).astype(np.float32)
    return rng.integers(0, classes, images), probabilities


def test_four_images_by_hand():
    counts = ErrorCounts(3)
    probabilities = np.array(
        [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.1, 0.7, 0.2]], np.float32
    )
    counts.add(np.array([0, 1, 2, 2]), probabilities)
    assert counts.result.examples == 4
    assert counts.result.top1_error == 0.5
    assert counts.result.top5_error == 0
    expected = -np.log([0.8, 0.3, 0.7, 0.2]).mean()
    assert counts.result.loss == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal(counts.confusion, [[1, 0, 0], [1, 0, 0], [0, 1, 1]])
    # Three bins: 0.8 right; 0.6 wrong; and twice 0.7, one right.
    assert counts.calibration_error == pytest.approx((0.2 + 0.6 + 2 * 0.2) / 4, abs=1e-6)
    first, second, third = counts.per_class()
    assert (first.top1_error, first.mistaken_for, first.mistaken) == (0, None, 0)
    assert (second.top1_error, second.mistaken_for, second.mistaken) == (1, 0, 1)
    assert (third.top1_error, third.mistaken_for, third.mistaken) == (0.5, 1, 1)
    assert [c.label for c in counts.worst_classes(2)] == [1, 2]


def test_a_class_without_images_is_left_out():
    counts = ErrorCounts(4)
    counts.add(np.array([3]), np.array([[0.1, 0.2, 0.3, 0.4]], np.float32))
    assert [c.label for c in counts.per_class()] == [3]
    with pytest.raises(ValueError, match="at least one example"):
        ErrorCounts(4).result  # noqa: B018 - a property that raises


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 99), st.integers(1, 40), st.integers(2, 12), st.integers(1, 7))
def test_batches_make_no_difference_and_sums_agree(seed, images, classes, size):
    labels, probabilities = some_answers(seed, images, classes)
    whole, parts = ErrorCounts(classes), ErrorCounts(classes)
    whole.add(labels, probabilities)
    for start in range(0, images, size):
        parts.add(labels[start : start + size], probabilities[start : start + size])
    np.testing.assert_array_equal(whole.confusion, parts.confusion)
    assert whole.result.loss == pytest.approx(parts.result.loss)
    assert whole.calibration_error == pytest.approx(parts.calibration_error)
    # Against sorting in NumPy (Dirichlet draws have no ties).
    places = (-probabilities).argsort(axis=1)
    assert whole.result.top1_error == pytest.approx((places[:, 0] != labels).mean())
    in_five = (places[:, :5] == labels[:, None]).any(axis=1)
    assert whole.result.top5_error == pytest.approx(1 - in_five.mean())
    assert 1 - np.trace(whole.confusion) / images == pytest.approx(whole.result.top1_error)


def test_answers_that_are_as_sure_as_they_are_right_have_no_calibration_error():
    # Of 1,000 images answered with p = 0.75, 750 are right.
    labels = np.where(np.arange(1000) < 750, 0, 1)
    counts = ErrorCounts(2)
    counts.add(labels, np.tile(np.array([[0.75, 0.25]], np.float32), (1000, 1)))
    assert counts.calibration_error == pytest.approx(0, abs=1e-7)


def test_calibration_error_against_its_definition():
    labels, probabilities = some_answers(7, 500, 6)
    counts = ErrorCounts(6)
    counts.add(labels, probabilities)
    highest, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    expected = 0.0
    for low in np.arange(BINS) / BINS:
        inside = (highest >= low) & (highest < low + 1 / BINS)
        if inside.any():
            gap = abs(right[inside].mean() - highest[inside].astype(np.float64).mean())
            expected += inside.mean() * gap
    assert counts.calibration_error == pytest.approx(expected, abs=1e-6)
