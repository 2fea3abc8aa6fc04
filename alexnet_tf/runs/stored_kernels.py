"""A run's first-layer kernels, from its newest checkpoint alone: no network is built."""

from __future__ import annotations

import numpy as np

from alexnet_tf.network import naming
from alexnet_tf.network.geometry import geometry
from alexnet_tf.runs.directory import Run
from alexnet_tf.runs.stored_weights import stored_weights


def stored_first_kernels(run: Run) -> list[np.ndarray]:
    """Of each tower, float32 [h, w, 3, n], as `network.weights.first_kernels` of the network's.

    Raises RunError: no checkpoint, or one without them. CheckpointError: all are damaged.
    """
    spec = run.config.network
    first = geometry(spec)[0].layer
    names = [naming.weight(first.name, tower, "kernel") for tower in spec.towers_of(first)]
    stored = stored_weights(run, names=names)
    return [stored[name] for name in names]
