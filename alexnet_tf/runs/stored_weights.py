"""A run's weights, or a preset's, from its files alone: no network is built, no device taken."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from alexnet_tf.errors import ConfigError, RunError
from alexnet_tf.foreign_weights.files import open_arrays
from alexnet_tf.runs import preset_files
from alexnet_tf.runs.checkpoint_state import read_state
from alexnet_tf.runs.directory import Run
from alexnet_tf.runs.saved_checkpoints import SavedCheckpoints, prediction_group

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def weights_sha256(arrays: Mapping[str, np.ndarray]) -> str:
    """One number (hex) for what a network predicts with: names, shapes and values in float32.

    It is the same for a run's checkpoint, its preset and the network in memory.
    """
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {list(array.shape)}\n".encode())
        digest.update(np.ascontiguousarray(array, "<f4").data)
    return digest.hexdigest()


def stored_weights(
    run: Run, checkpoint: str = "newest", names: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """What it predicts with, float32, by the names of `network.weights`.

    Args: checkpoint, as `restored_model` has it, but that a preset has one alone; names, of those
    wanted, or None for all.
    Raises RunError: no such checkpoint, or not with these. CheckpointError: all are damaged.
    """
    if preset_files.is_preset(run.path):
        return _of_preset(run.path, names)
    import tensorflow as tf  # reads a file here, and takes no device

    group = f"{prediction_group(run.config.optimizer)}/"

    def read(path: Path) -> dict[str, np.ndarray]:
        read_state(path)
        try:
            reader = tf.train.load_checkpoint(str(path / "variables"))
            stored = [
                _plain(name.removeprefix(group))
                for name in reader.get_variable_to_shape_map()
                if name.startswith(group) and name.endswith(SUFFIX)
            ]
            wanted = stored if names is None else names
            return {name: reader.get_tensor(f"{group}{_escaped(name)}") for name in wanted}
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            if not path.exists():
                raise FileNotFoundError(f"{path.name} was removed") from error
            what = "weights" if names is None else ", ".join(names)
            raise RunError(f"expected {what} in {path}: {error}") from error

    saved = SavedCheckpoints(run.checkpoints)
    order = {"best": saved.by_error, "newest": reversed}[checkpoint]
    weights = saved.first_undamaged(read, order)
    if weights is None:
        with_error = " with a validation error" if checkpoint == "best" else ""
        raise RunError(f"expected a checkpoint{with_error} in {run.checkpoints}, found none")
    return weights


def _of_preset(directory: Path, names: Sequence[str] | None) -> dict[str, np.ndarray]:
    preset_files.verify(directory)
    try:
        with open_arrays(directory / preset_files.WEIGHTS) as stored:
            return {name: stored[name].read() for name in (stored if names is None else names)}
    except (ConfigError, KeyError) as error:
        raise preset_files.damaged(directory, error) from error


def _escaped(name: str) -> str:
    """As TensorFlow writes a variable's name: slashes within a part of it are escaped."""
    return f"{name.replace('/', '.S')}{SUFFIX}"


def _plain(name: str) -> str:
    """The inverse; no name of ours has a dot."""
    return name.removesuffix(SUFFIX).replace(".S", "/")
