"""Dropout of 2012 and inverted, and masks that do not depend on how a batch is spread."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.network.layers import Dropout
from alexnet_tf.step_context import DropoutRows, using

ONES = tf.ones([4000, 50])


def test_the_two_forms_differ_in_scale_alone_and_in_opposite_passes():
    """2012: training ×mask, test ×0.5. Inverted: training ×mask/0.5, test ×1."""
    as_in_2012, inverted = Dropout(0.5, name="a"), Dropout(0.5, inverted=True, name="a")
    with using(dropout=DropoutRows(tf.constant([1, 2]), tf.range(4000), 4000)):
        mask, scaled = as_in_2012(ONES, training=True), inverted(ONES, training=True)
    assert set(np.unique(mask)) == {0.0, 1.0}
    np.testing.assert_array_equal(scaled, 2 * mask)
    np.testing.assert_array_equal(as_in_2012(ONES, training=False), 0.5 * ONES)
    np.testing.assert_array_equal(inverted(ONES, training=False), ONES)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("inverted", [False, True])
def test_expectation_in_training_is_the_test_pass(rate, inverted):
    layer = Dropout(rate, inverted)
    trained, tested = layer(ONES, training=True), layer(ONES, training=False)
    # 200,000 units: the share kept has a standard deviation of at most 0.0011.
    kept = np.mean(np.asarray(trained) != 0)
    assert kept == pytest.approx(1 - rate, abs=0.006)
    assert np.mean(trained) == pytest.approx(np.mean(tested), abs=0.006 / (1 - rate))


def test_units_and_cases_are_dropped_independently():
    with using(dropout=DropoutRows(tf.constant([5, 5]), tf.range(4000), 4000)):
        mask = Dropout(0.5)(ONES, training=True).numpy()
    covariance = np.cov(mask.T)
    # 1/4 on the diagonal, 0 beside it, with a standard deviation of 1/4/√4000 = 0.004.
    np.testing.assert_allclose(covariance, 0.25 * np.eye(50), atol=0.024)
    assert len(np.unique(mask, axis=0)) == 4000


def test_the_gradient_is_masked_alike():
    x = tf.ones([8, 5])
    layer = Dropout(0.5, inverted=True)
    with tf.GradientTape() as tape, using(dropout=DropoutRows(tf.constant([1, 2]), tf.range(8), 8)):
        tape.watch(x)
        y = layer(3 * x, training=True)
    np.testing.assert_allclose(tape.gradient(y, x), y, rtol=1e-6)


def masks(seed, rows, count, name="fc6_dropout_a"):
    with using(dropout=DropoutRows(tf.constant(seed), tf.constant(rows), count)):
        return Dropout(0.5, name=name)(tf.ones([len(rows), 20]), training=True).numpy()


def test_masks_depend_on_the_seed_the_layer_and_the_row_alone():
    whole = masks([3, 7], list(range(8)), 8)
    parts = [masks([3, 7], rows, 8) for rows in ([0, 1, 2, 3], [4, 5], [6, 7])]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(masks([3, 7], list(range(8)), 8), whole)
    assert (masks([3, 8], list(range(8)), 8) != whole).any()
    assert (masks([4, 7], list(range(8)), 8) != whole).any()
    assert (masks([3, 7], list(range(8)), 8, name="fc6_dropout_b") != whole).any()


def test_a_rate_of_zero_keeps_everything():
    np.testing.assert_array_equal(Dropout(0.0)(ONES, training=True), ONES)


def test_serialization():
    layer = Dropout(0.3, inverted=True, name="drop")
    assert Dropout.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_refuses_impossible_rates(rate):
    with pytest.raises(ValueError, match=f"expected rate .* Received: rate={rate}"):
        Dropout(rate)


def test_in_half_precision():
    layer = Dropout(0.5, dtype=keras.mixed_precision.Policy("mixed_float16"))
    y = layer(tf.ones([10, 10], tf.float16), training=True)
    assert y.dtype == tf.float16
    assert set(np.unique(y)) == {0.0, 1.0}
