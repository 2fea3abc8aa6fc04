"""A SavedModel that alexnet_tf.export made, opened again; TensorFlow alone is needed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import tensorflow as tf

from alexnet_tf.errors import ConfigError

NOTES_FILE = "export.json"  # what was exported, beside the SavedModel


def load_saved_model(directory: str) -> tf.Module:
    """Raises ConfigError: no directory, none of a SavedModel, or a damaged one."""
    path = Path(directory)
    if "://" in directory or not path.is_dir() or not (path / "saved_model.pb").is_file():
        of_a_run = os.path.isfile(path / "config.yaml")
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


def read_notes(directory: str) -> dict:
    """What export.json says; nothing where there is none. Raises ConfigError if it is damaged."""
    path = Path(directory) / NOTES_FILE
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"--model: {path} is damaged: {error}; export the run again") from error
