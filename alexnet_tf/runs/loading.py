"""Networks from disk: `from alexnet_tf import load_model, load_preset, load_run`."""

from __future__ import annotations

import os
from pathlib import Path

import keras

from alexnet_tf.compat import load_keras_file
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.preset_files import checkpoint_of, expect_preset, hint, is_preset
from alexnet_tf.runs.restore import restored_model
from alexnet_tf.runs.trained_network import TrainedNetwork


def load_preset(path: str | os.PathLike) -> TrainedNetwork:
    """The network that `save_preset` wrote, with whichever TensorFlow.

    Raises RunError if it is no preset or a damaged one, ConfigError or DatasetError if what it
    describes is not possible.
    """
    expect_preset(Path(path))
    return load_run(path)


def load_run(path: str | os.PathLike, checkpoint: str = "newest") -> TrainedNetwork:
    """The network of a run directory (or of a preset), with a checkpoint's weights.

    Args: checkpoint, "newest", or "best", of the lowest top-1 error of validation.

    Raises RunError if it is no run or has no such checkpoint, ConfigError or DatasetError if
    damaged; ValueError for another name of a checkpoint.
    """
    run = run_directory.load(path)
    model, transform = restored_model(run, checkpoint)
    if is_preset(run.path):
        checkpoint = checkpoint_of(run.path)
    return TrainedNetwork(model, run.config, run.info, transform, run.path, checkpoint)


def load_model(path: str | os.PathLike) -> keras.Model:
    """The network that `model.save(path)` wrote; path ends with ".keras".

    Unlike keras.saving.load_model, from Keras 3.1 on it also reads files of Keras 2.15. Those come
    without their optimizer: compile the network to train it. Others come as they were saved.

    Raises ValueError if it is no such file, or one that this Keras cannot read (its weights alone
    go everywhere: save_weights, load_weights); FileNotFoundError if there is none.
    """
    if os.path.isdir(path):
        raise ValueError(f"expected a .keras file, received {os.fspath(path)}{hint(Path(path))}")
    return load_keras_file(os.fspath(path))
