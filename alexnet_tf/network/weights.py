"""A network's weights by name, alike on both Keras lines: "conv1_a/kernel", "fc8/bias", …"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from alexnet_tf.compat import tf_variable


@dataclass(frozen=True)
class Weight:
    """One variable: `layer` without its tower ("conv1"), `kind` "kernel" or "bias"."""

    layer: str
    tower: str
    kind: str
    variable: Any  # tf.Variable, or tf.distribute's mirrored one

    @property
    def name(self) -> str:
        # The last layer stands on tower a's device but belongs to both.
        suffix = f"_{self.tower}" if self.tower else ""
        return f"{self.layer}{suffix}/{self.kind}"


def weights_of(model) -> tuple[Weight, ...]:
    """Kernel and bias of each layer, in the network's order."""
    found = []
    for layer in model.layers:
        if not hasattr(layer, "kernel"):
            continue
        name, _, tower = layer.name.partition("_")
        for kind in ("kernel", "bias"):
            found.append(Weight(name, tower, kind, tf_variable(getattr(layer, kind))))
    return tuple(found)


def first_kernels(model) -> list[np.ndarray]:
    """The first layer's kernels of each tower, float32 [h, w, 3, n]; tower a before tower b."""
    weights = weights_of(model)
    first = [w for w in weights if w.layer == weights[0].layer and w.kind == "kernel"]
    return [w.variable.numpy() for w in first]
