"""The network as a plain Keras functional model, built from a spec.

image [N, S, S, 3] (RGB, grey levels with the mean subtracted) → logits [N, classes], float32.
"""

from __future__ import annotations

import keras

from alexnet_tf.network.keras_layers import KerasLayers
from alexnet_tf.network.structure import NetworkSpec
from alexnet_tf.network.towers import Placement


def build(
    spec: NetworkSpec,
    *,
    seed: int = 0,
    precision: str = "float32",
    placement: Placement | None = None,
) -> keras.Model:
    """AlexNet in the variant `spec`.

    Args:
        seed: fixes the initial weights.
        precision: a Keras dtype policy ("float32", "mixed_bfloat16", "mixed_float16"); the logits
            are float32 under every policy.
        placement: devices for the towers; None leaves placement to TensorFlow.

    Raises GeometryError: the input is too small for the network, or an array too large.
    """
    layers = KerasLayers(spec, seed, precision, placement)
    image = keras.Input((spec.input_size, spec.input_size, 3), name="image")
    maps = layers.tower_inputs(image)
    for layer in spec.layers:
        if layer.reads == "both":
            maps = layers.joined(layer, maps)
        maps = layers.weighted(layer, maps)
        for op in layer.ops:
            maps = layers.followed_by(op, layer, maps)
    (logits,) = maps.values()  # the last layer is in one tower only
    return keras.Model(image, logits, name=f"alexnet_{spec.variant.replace('-', '_')}")
