"""A SavedModel that alexnet_tf.export made, opened again; TensorFlow alone is needed."""

from __future__ import annotations

import os

import tensorflow as tf

from alexnet_tf.errors import ConfigError

NOTES_FILE = "export.json"  # what was exported, beside the SavedModel


def load_saved_model(directory: str) -> tf.Module:
    """Raises ConfigError: no directory, none of a SavedModel, or a damaged one."""
    # By os.path: a `Path` raises of a name too long. No name would be the current directory.
    saved = bool(directory) and os.path.isfile(os.path.join(directory, "saved_model.pb"))
    if "://" in directory or not saved:
        of_a_run = os.path.isfile(os.path.join(directory, "config.yaml"))
        hint = f"; export it first: python -m alexnet_tf.export --run {directory} --output MODEL"
        raise ConfigError(
            f"--model: expected a SavedModel directory, as alexnet_tf.export makes it, received"
            f" {directory or 'an empty name'}{hint if of_a_run else ''}"
        )
    try:
        return tf.saved_model.load(directory)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"--model: {directory} is damaged, export the run again: {type(error).__name__}:"
            f" {reason}"
        ) from error
