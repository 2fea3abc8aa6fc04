"""Point for point against the float64 NumPy networks of tests/reference."""

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.network.spec import VARIANTS
from alexnet_tf.network.weights import weights_of
from alexnet_tf.step_context import DropoutRows, using
from tests.alexnet_tf.network.reference_pairs import Pair, masks_of, relative_error, worst
from tests.reference import network as reference

SMALL = {"width": 1 / 12, "num_classes": 11, "input_size": 96, "batch": 4}
# Rounding alone: 2^-24 and 2^-53 times what eight layers of sums add up to.
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
# Of weights and images, so that no ReLU and no maximum is as near to its kink as float32 rounds:
# on which side it falls there would be the processor's choice, and so would be the gradient.
SEEDS = {"paper": 1, "original": 3, "bvlc": 1}


def logits_and_gradients(pair: Pair, seed: tuple[int, int], dtype: str):
    batch = len(pair.images)
    weights = weights_of(pair.model)
    with (
        tf.GradientTape() as tape,
        using(dropout=DropoutRows(tf.constant(seed), tf.range(batch), batch)),
    ):
        logits = pair.model(tf.constant(pair.images, dtype), training=True)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(pair.labels, logits)
        loss = tf.reduce_mean(losses)
    found = tape.gradient(loss, [weight.variable for weight in weights])
    named = {weight.name: g.numpy() for weight, g in zip(weights, found, strict=True)}
    return logits.numpy(), float(loss), named


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("name", VARIANTS)
def test_logits_loss_and_every_gradient(name, precision, record_property):
    pair = Pair(name, precision=precision, seed=SEEDS.get(name, 0), **SMALL)
    seed = (7, 3)
    masks = masks_of(pair, seed)
    assert 0.3 < np.mean([mask.mean() for mask in masks.values()]) < 0.7
    logits, loss, gradients = logits_and_gradients(pair, seed, precision)
    expected, trace = reference.forward(pair.net, pair.weights, pair.images, masks)
    assert reference.nearest_kink(pair.net, trace) > TOLERANCE["float32"]
    expected_loss, expected_gradients = reference.loss_and_gradients(
        pair.net, pair.weights, pair.images, pair.labels, masks
    )
    error, (gradient_error, key) = (
        relative_error(logits, expected),
        worst(gradients, expected_gradients),
    )
    record_property("logits", error)
    record_property("gradients", f"{gradient_error:.2e} ({key})")
    print(name, precision, f"logits {error:.1e} gradients {gradient_error:.1e} {key}")
    assert error < TOLERANCE[precision]
    assert loss == pytest.approx(expected_loss, rel=TOLERANCE[precision])
    assert gradient_error < TOLERANCE[precision], key
