"""Dead units counted by hand, updates by definition, the warning of a flat loss."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf import train
from alexnet_tf.monitoring.diagnostics import Diagnostics, FlatLoss, PeriodicDiagnostics, crossed
from alexnet_tf.network.weights import weights_of
from tests import tiny_datasets
from tests.alexnet_tf.network.reference_pairs import Pair
from tests.alexnet_tf.training.one_device import Trainer, batch, strategy

TINY = {"width": 1 / 24, "num_classes": 5, "input_size": 64}


def rig(name="no-norm", **changes):
    with strategy().scope():
        pair = Pair(name, batch=2, **TINY, **changes)
        trainer = Trainer(strategy(), pair.model)
    images = tf.constant(pair.images, tf.float32)
    return pair, trainer, Diagnostics(strategy(), pair.model, trainer.optimizer, images)


def test_units_that_never_answer_are_dead():
    """A bias of −10⁶ kills a unit: 1 of conv2's 5 + 5 maps, fc7 wholly in tower b."""
    pair, _, diagnostics = rig()
    before = diagnostics.measure()
    weights = dict(pair.weights)
    weights["conv2_a/bias"] = np.where(np.arange(5) == 3, -1e6, 1e3)
    weights["conv2_b/bias"] = np.full(5, 1e3)
    weights["fc7_a/bias"] = np.full_like(weights["fc7_a/bias"], 1e6)
    weights["fc7_b/bias"] = np.full_like(weights["fc7_b/bias"], -1e6)
    pair.load(weights)
    after = diagnostics.measure()
    assert after["dead ReLUs/conv2"] == pytest.approx(0.1)
    assert after["dead ReLUs/fc7"] == pytest.approx(0.5)
    assert before["dead ReLUs/fc7"] < 0.5
    layers = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"]
    assert [k for k in after if k.startswith("dead")] == [f"dead ReLUs/{x}" for x in layers]


def test_a_unit_alive_at_one_place_of_one_image_is_not_dead():
    pair, trainer, _ = rig()
    images = np.zeros((3, 64, 64, 3), np.float32)
    weights = {k: np.zeros_like(v) for k, v in pair.weights.items()}
    weights["conv1_a/kernel"][0, 0, 0, 0] = 1.0  # a unit that answers to one pixel
    pair.load(weights)
    for value, dead in ((0.0, 1.0), (1.0, 1 - 1 / 4)):  # of 2 + 2 units
        images[2, 8, 8, 0] = value
        diagnostics = Diagnostics(strategy(), pair.model, trainer.optimizer, tf.constant(images))
        assert diagnostics.measure()["dead ReLUs/conv1"] == pytest.approx(dead)


def test_updates_are_those_of_the_last_step_over_both_towers():
    pair, trainer, diagnostics = rig("original")
    assert diagnostics.measure()["update to weight/conv3"] == 0.0
    rates = [[0.001] * len(trainer.optimizer.weights)]
    trainer.run([batch(pair.images, pair.labels)], rates)
    measured = diagnostics.measure(frozen={"conv4"})
    new = trainer.weights
    moved = [new[f"conv3_{t}/kernel"] - pair.weights[f"conv3_{t}/kernel"] for t in "ab"]
    whole = [new[f"conv3_{t}/kernel"] for t in "ab"]
    expected = np.linalg.norm(np.concatenate(moved)) / np.linalg.norm(np.concatenate(whole))
    assert expected > 0
    assert measured["update to weight/conv3"] == pytest.approx(expected, rel=1e-3)
    assert measured["update to weight/conv4"] == 0.0
    assert len([k for k in measured if k.startswith("update")]) == 8


def test_tanh_has_no_dead_relus():
    _, _, diagnostics = rig("paper", activation="tanh")
    assert not any(name.startswith("dead") for name in diagnostics.measure())


def test_measuring_changes_no_weight():
    pair, _, diagnostics = rig()
    diagnostics.measure()
    for weight in weights_of(pair.model):
        np.testing.assert_array_equal(weight.variable.numpy(), pair.weights[weight.name])


def test_a_loss_that_never_left_chance_is_warned_of_once():
    """Judged by the mean of the second half: a large loss at first and noise do not matter."""
    flat = FlatLoss(classes=1000, steps=500)
    chance = math.log(1000)
    losses = {20: 9.4, 240: 2.0, 260: chance * 1.02, 480: chance * 0.98, 500: chance * 0.995}
    warnings = [flat.observe(step, loss) for step, loss in losses.items()]
    assert warnings[:-1] == [None] * 4
    assert "the loss is still 6.896 after 500 steps; guessing would give 6.908" in warnings[-1]
    assert "init_scaling=keep-variance" in warnings[-1]
    assert flat.observe(520, chance) is None


def test_a_loss_that_moved_is_not_warned_of():
    flat = FlatLoss(classes=1000, steps=500)
    assert [flat.observe(step, 6.7) for step in (480, 500)] == [None, None]
    assert flat.observe(5000, 7.0) is None
    never = FlatLoss(classes=1000, steps=None)
    assert never.observe(10_000, 7.0) is None


class Fixed:
    """Stands for Diagnostics."""

    def measure(self, frozen):
        return {"frozen": len(frozen)}


def test_it_measures_where_it_is_due():
    frozen = lambda epoch: {"conv1"} if epoch else set()  # noqa: E731
    periodic = PeriodicDiagnostics(Fixed(), FlatLoss(10, 30), frozen, 20, 5)
    chance = math.log(10)
    assert periodic.after(0, 19, chance) == ({}, None)
    assert periodic.after(0, 21, chance) == ({"frozen": 0}, None)
    values, warning = periodic.after(1, 45, chance)
    assert values == {"frozen": 1}
    assert "after 45 steps" in warning
    assert periodic.after(1, 59, chance) == ({}, None)


def test_multiples_within_a_window():
    assert [crossed(*ends, 200) for ends in ((180, 199), (180, 200), (199, 210), (200, 220))] == [
        False,
        True,
        True,
        False,
    ]
    assert not crossed(0, 1000, None)


def test_a_training_writes_diagnostics_and_the_warning(tmp_path, caplog):
    """In log.jsonl and in TensorBoard; at a rate this low, the loss cannot move."""
    tiny_datasets.write(tmp_path / "data", counts={"train": 20})
    (tmp_path / "flat.yaml").write_text(
        """
network: {width: 0.05, input_size: 64, init_scaling: keep-variance}
training: {epochs: 2, global_batch_size: 5, log_every_steps: 2, diagnostics_every_steps: 4,
           flat_loss_steps: 6}
schedule: {name: piecewise, rate: [[0, 1.0e-12]], layer_rates: {conv1: [[1, 0]]}}
monitoring: {every_epochs: 0}
"""
    )
    arguments = ["--config", str(tmp_path / "flat.yaml"), "--data", str(tmp_path / "data")]
    assert train.main([*arguments, "--run", str(tmp_path / "run")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").open()]
    measured = [line for line in lines if line["kind"] == "diagnostics"]
    assert [line["step"] for line in measured] == [4, 8]
    assert 0 < measured[0]["update to weight/conv1"] < 1e-9
    assert measured[1]["update to weight/conv1"] == 0  # frozen by then
    assert 0 <= measured[0]["dead ReLUs/conv5"] <= 1
    (warning,) = [line["text"] for line in lines if line["kind"] == "warning"]
    assert "after 6 steps; guessing would give 1.386" in warning
    assert warning in caplog.text
    (events,) = (tmp_path / "run" / "tensorboard" / "train").glob("events*")
    tags = {
        value.tag
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
    }
    assert {"network/dead ReLUs/fc7", "network/update to weight/fc8"} <= tags
