"""Whole steps: three updates against the reference, accumulation, loss scaling, padding."""

import functools
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf import train
from alexnet_tf.config.schema import MomentumConfig
from alexnet_tf.errors import ConfigError
from alexnet_tf.network import model as network_model
from alexnet_tf.network.spec import VARIANTS
from alexnet_tf.training import loss_scale
from alexnet_tf.training.loss_scale import LossScale
from alexnet_tf.training.step import check_parts
from tests import tiny_datasets
from tests.alexnet_tf.network.reference_pairs import Pair, masks_of, spec_of, worst
from tests.alexnet_tf.training.one_device import Trainer, batch, strategy
from tests.reference import network as reference
from tests.reference import update

NOTHING = types.MappingProxyType({})
SMALL = {"width": 1 / 24, "num_classes": 11, "input_size": 96}
TINY = {"width": 1 / 24, "num_classes": 5, "input_size": 64}
# As in network/test_against_reference.py: at none of three steps is a kink within float32's reach.
SEEDS = {"paper": 5, "original": 1, "one-tower": 1, "non-overlapping": 2}
SEEDS |= {"no-crosstalk": 1, "caffenet": 1}


@pytest.mark.parametrize(
    "name",
    [
        n if n in ("paper", "original") else pytest.param(n, marks=pytest.mark.slow)
        for n in VARIANTS
    ],
)
def test_weights_after_three_updates(name, record_property):
    """Rates of weights, of biases and of conv1 differ, and fall; conv1 is frozen at the third."""
    with strategy().scope():
        pair = Pair(name, batch=4, seed=SEEDS.get(name, 0), **SMALL)
        trainer = Trainer(strategy(), pair.model)
    weights, velocity = pair.weights, update.zero_velocity(pair.weights)
    rate = gentle_rate(pair)
    steps = [(rate, 2 * rate, rate / 2), (rate, 2 * rate, rate / 10), (rate / 10, rate, 0.0)]
    rows, losses = [], []
    for number, (kernels, biases, conv1) in enumerate(steps):
        rates = update.learning_rates(weights, kernels, biases, {"conv1": (conv1, conv1)})
        rates = {key: float(np.float32(value)) for key, value in rates.items()}
        rows.append([rates[weight.name] for weight in trainer.optimizer.weights])
        masks = masks_of(pair, (0, number))
        _, trace = reference.forward(pair.net, weights, pair.images, masks)
        assert reference.nearest_kink(pair.net, trace) > 1e-5
        loss, gradients = reference.loss_and_gradients(
            pair.net, weights, pair.images, pair.labels, masks
        )
        losses.append(loss)
        weights, velocity = update.momentum_update(weights, velocity, gradients, rates)
    sums = trainer.run([batch(pair.images, pair.labels)] * 3, rows)
    assert [row[0] / row[3] for row in sums] == pytest.approx(losses, rel=1e-5)
    error, key = worst(trainer.weights, weights)
    velocity_error, velocity_key = worst(trainer.velocities, velocity)
    record_property("weights", f"{error:.1e} ({key})")
    record_property("velocities", f"{velocity_error:.1e} ({velocity_key})")
    assert error < 1e-5, key
    assert velocity_error < 2e-5, velocity_key


def gentle_rate(pair: Pair) -> float:
    """Moves no kernel by more than a twentieth at the first step, and one by so much."""
    gradients = reference.loss_and_gradients(pair.net, pair.weights, pair.images, pair.labels)[1]
    kernels = [key for key in gradients if key.endswith("/kernel")]
    return 0.05 * min(np.abs(pair.weights[k]).max() / np.abs(gradients[k]).max() for k in kernels)


@functools.cache
def plainly_trained(steps=2, padding=0, variant="original"):
    """`trained` in float32 and in one part, once."""
    return trained(steps=steps, padding=padding, variant=variant)


def trained(
    parts=1,
    steps=2,
    precision="float32",
    scale=None,
    padding=0,
    variant="original",
    network=NOTHING,
    step=NOTHING,
):
    """What `steps` steps over 6 images, of which some are padding, leave: weights, sums."""
    rng = np.random.default_rng(0)
    images, labels = rng.normal(0, 60, (6, 64, 64, 3)), rng.integers(0, 5, 6)
    with strategy().scope():
        pair = Pair(variant, batch=1, precision=precision, **TINY, **network)
        trainer = Trainer(strategy(), pair.model, MomentumConfig(), parts, scale, **step)
    rates = [[0.001] * len(trainer.optimizer.weights)] * steps
    sums = trainer.run([batch(images, labels, np.arange(6) < 6 - padding)] * steps, rates)
    changes = {key: value - pair.weights[key] for key, value in trainer.weights.items()}
    return changes, np.array(sums)


@pytest.mark.parametrize(("parts", "padding"), [(2, 0), (3, 3)])
def test_accumulation_gives_the_same_update(parts, padding):
    """Where half is padding, one of three parts counts, one counts half, one not at all."""
    changes, sums = plainly_trained(padding=padding, variant="no-norm")
    again, sums_again = trained(parts, padding=padding, variant="no-norm")
    assert worst(again, changes)[0] < 1e-4  # the changes of float32 weights: rounded at 6e-8
    np.testing.assert_allclose(sums_again, sums, rtol=1e-5)
    assert sums[0, 3] == 6 - padding


@pytest.mark.parametrize("jit", ["none", pytest.param("all", marks=pytest.mark.slow)])
def test_compiled_or_not_the_update_is_the_same(jit):
    """Without dropout, for which XLA draws other numbers."""
    network = {"dropout": {"rate": 0.0}}
    changes, sums = trained(network=network)
    again, sums_again = trained(network=network, step={"jit_compile": jit})
    # Weights are rounded at 6e-8 of their size, thousands of times these small changes'.
    assert worst(again, changes)[0] < 5e-4
    np.testing.assert_allclose(sums_again, sums, rtol=1e-5)


def test_several_steps_in_one_execution_are_the_same_steps():
    """With rates of each step's own, and dropout."""
    rng = np.random.default_rng(0)
    batches = [batch(rng.normal(0, 60, (2, 64, 64, 3)), rng.integers(0, 5, 2)) for _ in range(3)]
    results = []
    for at_once in (False, True):
        with strategy().scope():
            trainer = Trainer(strategy(), Pair("no-norm", batch=1, **TINY).model)
        rates = [[rate] * len(trainer.optimizer.weights) for rate in (0.001, 0.0005, 0.0001)]
        results.append((trainer.run(batches, rates, at_once=at_once), trainer.weights))
    (sums, weights), (sums_again, weights_again) = results
    np.testing.assert_allclose(sums_again, sums, rtol=1e-6)
    assert worst(weights_again, weights)[0] < 1e-6


def test_accumulation_must_divide_a_replicas_batch():
    check_parts(12, 3)
    with pytest.raises(ConfigError, match=r"accumulation_steps: expected a divisor .* 12.* 5"):
        check_parts(12, 5)


def test_padding_changes_nothing():
    """Six images of which three do not count are a batch of three."""
    rng = np.random.default_rng(0)
    images, labels = rng.normal(0, 60, (6, 64, 64, 3)), rng.integers(0, 5, 6)
    results = []
    for count, weight in ((6, np.arange(6) < 3), (3, None)):
        with strategy().scope():
            pair = Pair("no-norm", batch=1, **TINY, dropout={"rate": 0.0})
            trainer = Trainer(strategy(), pair.model)
        rates = [[1e-5] * len(trainer.optimizer.weights)] * 2
        sums = trainer.run([batch(images[:count], labels[:count], weight)] * 2, rates)
        results.append((trainer.weights, sums))
    assert worst(results[0][0], results[1][0])[0] < 1e-5
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-5)
    assert results[0][1][0][3] == 3


def test_loss_scaling_in_float32_changes_nothing():
    """The scale is a power of two: multiplied and divided exactly, whatever it is."""
    changes, sums = plainly_trained(variant="no-norm")
    with strategy().scope():
        scale = LossScale()
    again, sums_again = trained(scale=scale, variant="no-norm")
    for key, value in changes.items():
        np.testing.assert_array_equal(again[key], value, err_msg=key)
    np.testing.assert_array_equal(sums_again, sums)
    assert int(scale.good_steps.numpy()) == 2


@pytest.mark.parametrize(
    ("precision", "bounds"),
    [
        pytest.param(
            "mixed_float16", {"fc8": 0.005, "fc": 0.05, "conv": 0.2}, marks=pytest.mark.slow
        ),
        ("mixed_bfloat16", {"fc8": 0.03, "fc": 0.1}),
    ],
)
def test_half_precision_follows_float32(precision, bounds):
    """Of the last layer's gradient, most of 11 (8) bits are right. Lower down, every ReLU and every
    maximum that rounding turns sends a gradient elsewhere: of images that are noise, in bfloat16
    little is left for the convolutions to compare."""
    changes, _ = plainly_trained(steps=1)
    with strategy().scope():
        scale = LossScale() if precision == "mixed_float16" else None
    again, _ = trained(steps=1, precision=precision, scale=scale)
    for key in [key for key in changes if key.endswith("/kernel")]:  # in biases' sums, terms cancel
        bound = next((b for start, b in bounds.items() if key.startswith(start)), np.inf)
        error = np.linalg.norm(again[key] - changes[key]) / np.linalg.norm(changes[key])
        assert 1e-5 < error < bound, key


def test_overflow_skips_steps_until_the_scale_fits():
    with strategy().scope():
        scale = LossScale()
    scale.scale.assign(2.0**40)  # float16 ends at 65,504
    changes, _ = trained(steps=1, precision="mixed_float16", scale=scale)
    assert not any(change.any() for change in changes.values())
    scale.scale.assign(2.0**24)
    changes, sums = trained(steps=30, precision="mixed_float16", scale=scale)
    assert all(np.isfinite(change).all() and change.any() for change in changes.values())
    assert sums[-1, 0] < sums[0, 0]
    halvings = 24 - np.log2(scale.scale.numpy())
    assert halvings == int(halvings) >= 1
    assert int(scale.good_steps.numpy()) == 30 - halvings


@pytest.mark.slow
def test_the_scale_survives_a_checkpoint(tmp_path):
    """A run in float16 that goes on counts its good steps on."""
    tiny_datasets.write(tmp_path / "data", counts={"train": 8})
    (tmp_path / "half.yaml").write_text(
        """
network: {variant: no-norm, width: 0.05, input_size: 64}
training: {epochs: 1, global_batch_size: 4, precision: mixed_float16, accumulation_steps: 2}
monitoring: {every_epochs: 0}
"""
    )
    arguments = ["--config", str(tmp_path / "half.yaml"), "--data", str(tmp_path / "data")]
    for epochs in (1, 2):
        run = ["--run", str(tmp_path / "run"), f"training.epochs={epochs}"]
        assert train.main([*arguments, *run]) == 0
        saved = tmp_path / "run" / "checkpoints" / f"step-{2 * epochs:09d}" / "variables"
        values = tf.train.load_checkpoint(str(saved))
        state = [
            values.get_tensor(f"loss_scale/{name}/.ATTRIBUTES/VARIABLE_VALUE")
            for name in ("scale", "good_steps")
        ]
        assert state == [2.0**15, 2 * epochs]


def test_the_scale_by_hand():
    with strategy().scope():
        scale = LossScale()

    @tf.function
    def observe(finite):
        strategy().run(scale.observe, args=(finite,))

    def state():
        return float(scale.scale.numpy()), int(scale.good_steps.numpy())

    assert state() == (2.0**15, 0)
    observe(tf.constant(False))
    assert state() == (2.0**14, 0)
    observe(tf.constant(True))
    assert state() == (2.0**14, 1)
    scale.good_steps.assign(loss_scale.GROW_AFTER - 1)
    observe(tf.constant(True))
    assert state() == (2.0**15, 0)
    scale.scale.assign(1.0)
    observe(tf.constant(False))
    assert state() == (1.0, 0)


def test_a_frozen_layer_has_no_gradient_computed():
    """2012 skipped conv1's backward pass from epoch 72 on; the traced step has none of it."""
    spec = spec_of("no-norm", **TINY)
    with strategy().scope():
        trainer = Trainer(strategy(), network_model.build(spec))
    names = [weight.name for weight in trainer.optimizer.weights]
    rows = [[0.0 if "conv1" in name else 0.01 for name in names]]
    before = trainer.weights
    trainer.run([batch(np.ones((2, 64, 64, 3)), np.array([0, 1]))], rows)
    moved = {name for name in names if (trainer.weights[name] != before[name]).any()}
    assert not any("conv1" in name for name in moved)
    assert "fc8/kernel" in moved


def test_keras_fit_works_on_the_plain_model():
    """The network stays an ordinary Keras model."""
    model = network_model.build(spec_of("original", **TINY))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.01, momentum=0.9), loss=loss)
    images = np.random.default_rng(0).normal(0, 60, (8, 64, 64, 3)).astype(np.float32)
    history = model.fit(images, np.arange(8) % 5, batch_size=4, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_a_step_of_rates_0_only_measures():
    """As the first one of a cosine's warm-up."""
    with strategy().scope():
        pair = Pair("no-norm", batch=2, **TINY)
        trainer = Trainer(strategy(), pair.model)
    before = trainer.weights
    rates = [[0.0] * len(trainer.optimizer.weights)]
    (sums,) = trainer.run([batch(pair.images, pair.labels)], rates)
    assert sums[3] == 2
    assert sums[0] > 0
    for name, value in trainer.weights.items():
        np.testing.assert_array_equal(value, before[name])
