"""A trained network from its run directory, or from a preset."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from alexnet_tf.config.choices import CHECKPOINTS
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.errors import RunError
from alexnet_tf.network import model as network
from alexnet_tf.network.weights import Weight, weights_of
from alexnet_tf.runs import preset_files, preset_weights
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
    if preset_files.is_preset(run.path):
        _restore_preset(run, checkpoint, weights_of(model))
    else:
        _restore_checkpoint(run, checkpoint, weights_of(model))
    size = config.network.input_size
    return model, InputTransform(run.mean_image, run.info.color, config.data, size)


def _restore_preset(run: Run, checkpoint: str, weights: Sequence[Weight]) -> None:
    held = preset_files.checkpoint_of(run.path)
    if checkpoint not in ("newest", held):  # the newest that it has is the only one
        raise RunError(
            f"expected the {held} checkpoint, which the preset {run.path} holds alone, received"
            f" {checkpoint}"
        )
    preset_weights.restore(run.path, weights)


def _restore_checkpoint(run: Run, checkpoint: str, weights: Sequence[Weight]) -> None:
    variables = prediction_groups(run.config.optimizer, weights)
    saved = Checkpoints(run.checkpoints)
    if checkpoint == "best" and saved.restore_best(variables) is None:
        raise RunError(
            f"expected a checkpoint with a validation error in {run.checkpoints}, found none; train"
            " it for an epoch, on a dataset with a validation split, or take the newest one"
        )
    if checkpoint == "newest" and saved.restore_newest(variables) is None:
        raise RunError(f"expected a checkpoint in {run.checkpoints}, found none; train it first")
