"""A trained network from its run directory."""

from __future__ import annotations

import keras

from alexnet_tf.config.choices import CHECKPOINTS
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.errors import RunError
from alexnet_tf.network import model as network
from alexnet_tf.network.weights import weights_of
from alexnet_tf.runs.checkpoint_groups import prediction_groups
from alexnet_tf.runs.checkpoints import Checkpoints
from alexnet_tf.runs.directory import Run


def restored_model(
    run: Run, checkpoint: str = "newest", precision: str | None = None
) -> tuple[keras.Model, InputTransform]:
    """The network with a checkpoint's weights, and what turns pixels into its input.

    Args:
        checkpoint: one of CHECKPOINTS.
        precision: a Keras dtype policy to compute in; None for that of the training.

    Raises RunError if the run has no such checkpoint yet; ValueError for another name.
    """
    if checkpoint not in CHECKPOINTS:
        raise ValueError(f"expected checkpoint in {CHECKPOINTS}. Received: {checkpoint!r}")
    config = run.config
    model = network.build(config.network, precision=precision or config.training.precision)
    variables = prediction_groups(config.optimizer, weights_of(model))
    saved = Checkpoints(run.checkpoints)
    if checkpoint == "best" and saved.restore_best(variables) is None:
        raise RunError(
            f"expected a checkpoint with a validation error in {run.checkpoints}, found none; train"
            " it for an epoch, on a dataset with a validation split, or take the newest one"
        )
    if checkpoint == "newest" and saved.restore_newest(variables) is None:
        raise RunError(f"expected a checkpoint in {run.checkpoints}, found none; train it first")
    size = config.network.input_size
    return model, InputTransform(run.mean_image, run.info.color, config.data, size)
