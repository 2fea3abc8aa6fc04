"""What a checkpoint holds: tf.Variables by group and name.

weights; the optimizer's own groups (velocities, averages, steps, …), by weight; loss_scale, where
training is in float16.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from alexnet_tf.config.schema import OptimizerConfig
from alexnet_tf.network.weights import Weight
from alexnet_tf.runs.saved_checkpoints import WEIGHTS, prediction_group
from alexnet_tf.training.loss_scale import LossScale
from alexnet_tf.training.optimizers.optimizer import Optimizer

Groups = dict[str, dict[str, tf.Variable]]


def training_groups(optimizer: Optimizer, loss_scale: LossScale | None) -> Groups:
    """All that a training goes on from."""
    groups = {WEIGHTS: _by_name(optimizer.weights), **optimizer.state}
    if loss_scale is not None:
        groups["loss_scale"] = loss_scale.variables
    return groups


def prediction_groups(optimizer: OptimizerConfig, weights: Sequence[Weight]) -> Groups:
    """What a trained network predicts with, read into `weights`: their averages, if there are."""
    return {prediction_group(optimizer): _by_name(weights)}


def _by_name(weights: Sequence[Weight]) -> dict[str, tf.Variable]:
    return {weight.name: weight.variable for weight in weights}
