"""Features: what the last hidden layer makes of an image (the paper's 4,096 numbers of fc7)."""

from __future__ import annotations

import keras

from alexnet_tf.network.naming import of_tower, operation
from alexnet_tf.network.structure import NetworkSpec


def features_model(model: keras.Model, spec: NetworkSpec) -> keras.Model:
    """A network that shares `model`'s weights and gives its features: float32 [n, units].

    After the last hidden layer's activation, if it has one, and before its dropout; tower a's
    before tower b's.
    Where that layer has maps (cifar-18pct), all their places are units: row, column, map.
    """
    hidden = spec.layers[-2]
    if "relu" in hidden.ops:
        names = [operation(hidden.name, spec.activation, tower) for tower in spec.tower_names]
    else:
        names = [of_tower(hidden.name, tower) for tower in spec.tower_names]
    outputs = [model.get_layer(name).output for name in names]
    joined = keras.layers.Concatenate()(outputs) if len(outputs) > 1 else outputs[0]
    if len(joined.shape) > 2:
        joined = keras.layers.Flatten()(joined)
    return keras.Model(model.input, joined, name="features")
