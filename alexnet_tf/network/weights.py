"""A network's weights by name, alike on both Keras lines: "conv1_a/kernel", "fc8/bias", …"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from alexnet_tf.compat import tf_variable
from alexnet_tf.network import naming


@dataclass(frozen=True)
class Weight:
    """One variable: `layer` without its tower ("conv1"), `kind` "kernel" or "bias".

    tower: "a", "b", or "" of one tower alone and of the last layer, which belongs to both.
    """

    layer: str
    tower: str
    kind: str
    variable: Any  # tf.Variable, or tf.distribute's mirrored one

    @property
    def name(self) -> str:
        return naming.weight(self.layer, self.tower, self.kind)


def weights_of(model: keras.Model) -> tuple[Weight, ...]:
    """Kernel and bias of each layer, in the network's order."""
    weights = []
    for layer in model.layers:
        if not hasattr(layer, "kernel"):
            continue
        name, tower = naming.layer_and_tower(layer.name)
        for kind in naming.KINDS:
            weights.append(Weight(name, tower, kind, tf_variable(getattr(layer, kind))))
    return tuple(weights)


def arrays_of(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights' values, float32, by name, in the network's order."""
    return {weight.name: weight.variable.numpy() for weight in weights_of(model)}


def first_kernels(model: keras.Model) -> list[np.ndarray]:
    """The first layer's kernels of each tower, float32 [h, w, 3, n]; tower a before tower b."""
    weights = weights_of(model)
    first = [w for w in weights if w.layer == weights[0].layer and w.kind == "kernel"]
    return [w.variable.numpy() for w in first]
