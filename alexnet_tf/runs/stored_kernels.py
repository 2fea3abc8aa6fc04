"""A run's first-layer kernels, from its newest checkpoint alone: no network is built."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alexnet_tf.errors import RunError
from alexnet_tf.network import naming
from alexnet_tf.network.geometry import geometry
from alexnet_tf.runs.checkpoint_state import read_state
from alexnet_tf.runs.directory import Run
from alexnet_tf.runs.saved_checkpoints import SavedCheckpoints, prediction_group


def stored_first_kernels(run: Run) -> list[np.ndarray]:
    """Of each tower, float32 [h, w, 3, n], as `network.weights.first_kernels` of the network's.

    Raises RunError: no checkpoint, or one without them. CheckpointError: all are damaged.
    """
    import tensorflow as tf  # reads a file here, and takes no device

    group = prediction_group(run.config.optimizer)
    spec = run.config.network
    first = geometry(spec)[0].layer
    names = [naming.weight(first.name, tower, "kernel") for tower in spec.towers_of(first)]

    def read(path: Path) -> list[np.ndarray]:
        read_state(path)
        try:
            reader = tf.train.load_checkpoint(str(path / "variables"))
            return [reader.get_tensor(_stored(group, name)) for name in names]
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            if not path.exists():
                raise FileNotFoundError(f"{path.name} was removed") from error
            raise RunError(f"expected {', '.join(names)} in {path}: {error}") from error

    kernels = SavedCheckpoints(run.checkpoints).first_undamaged(read)
    if kernels is None:
        raise RunError(f"expected a checkpoint in {run.checkpoints}, found none")
    return kernels


def _stored(group: str, name: str) -> str:
    """As TensorFlow writes a variable's name: slashes within a part of it are escaped."""
    return f"{group}/{name.replace('/', '.S')}/.ATTRIBUTES/VARIABLE_VALUE"
