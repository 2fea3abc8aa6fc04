"""A trained network from its run directory."""

from __future__ import annotations

import keras

from alexnet_tf.data.augment import InputTransform
from alexnet_tf.errors import RunError
from alexnet_tf.network import model as network
from alexnet_tf.network.weights import weights_of
from alexnet_tf.runs.checkpoint_groups import prediction_groups
from alexnet_tf.runs.checkpoints import Checkpoints
from alexnet_tf.runs.directory import Run


def restored_model(run: Run) -> tuple[keras.Model, InputTransform]:
    """The network with the newest checkpoint's weights, and what turns pixels into its input.

    Raises RunError if the run has no checkpoint yet.
    """
    config = run.config
    model = network.build(config.network, precision=config.training.precision)
    variables = prediction_groups(config.optimizer, weights_of(model))
    if Checkpoints(run.checkpoints).restore_newest(variables) is None:
        raise RunError(f"expected a checkpoint in {run.checkpoints}, found none; train it first")
    size = config.network.input_size
    return model, InputTransform(run.mean_image, run.info.color, config.data, size)
