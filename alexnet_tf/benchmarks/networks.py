"""The networks that the benchmark sets beside ours."""

from __future__ import annotations

import keras
import tensorflow as tf

from alexnet_tf.compat import register
from alexnet_tf.network.geometry import geometry
from alexnet_tf.network.layers import Dropout, LocalResponseNormalization
from alexnet_tf.network.model import build
from alexnet_tf.network.operations import LRN
from alexnet_tf.network.structure import Conv, NetworkSpec


def rivals(spec: NetworkSpec, model: keras.Model) -> dict[str, keras.Model]:
    """Those that can be set beside the network `model` of `spec`, by name."""
    found = {}
    if spec.lrn or spec.spatial_norm:
        found["no norm"] = build(without_norm(spec))
    if spec.lrn == LRN():
        found["tf.nn LRN"] = with_tensorflow_norm(model)
    if spec.variant == "paper":
        found["groups=2"] = grouped(spec)
    return found


def without_norm(spec: NetworkSpec) -> NetworkSpec:
    """The same network with every normalization left out."""
    layers = tuple(
        layer.model_copy(
            update={"ops": tuple(op for op in layer.ops if op not in ("lrn", "spatial_norm"))}
        )
        for layer in spec.layers
    )
    return spec.model_copy(update={"layers": layers, "lrn": None, "spatial_norm": None})


@register
class TensorFlowLRN(keras.layers.Layer):
    """tf.nn.local_response_normalization with the paper's constants."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.local_response_normalization(x, 2, 2.0, 1e-4, 0.75)


def with_tensorflow_norm(model: keras.Model) -> keras.Model:
    """The same network with TensorFlow's own normalization."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, LocalResponseNormalization):
            return TensorFlowLRN(name=layer.name)
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=clone)


def grouped(spec: NetworkSpec) -> keras.Model:
    """`paper` as one stack whose convolutions have two groups, instead of two towers."""
    size = spec.input_size
    x = image = keras.Input((size, size, 3), name="image")
    for row in geometry(spec):
        layer, units = row.layer, row.units * row.towers
        if isinstance(layer, Conv):
            x = keras.layers.ZeroPadding2D((layer.pad, layer.pad))(x) if any(layer.pad) else x
            groups = spec.towers if layer.reads == "own" else 1
            options = {"groups": groups, "name": layer.name}
            x = keras.layers.Conv2D(units, layer.kernel, layer.stride, **options)(x)
        else:
            x = keras.layers.Flatten()(x) if len(x.shape) == 4 else x
            x = keras.layers.Dense(units, name=layer.name)(x)
        for op in layer.ops:
            x = _lrn_by_group(spec, x) if op == "lrn" else _op(spec, op)(x)
    return keras.Model(image, x)


def _lrn_by_group(spec: NetworkSpec, x: tf.Tensor) -> tf.Tensor:
    _, height, width, maps = x.shape
    apart = keras.layers.Reshape((height, width, spec.towers, maps // spec.towers))(x)
    normed = LocalResponseNormalization(**spec.lrn.model_dump(exclude={"spans"}))(apart)
    return keras.layers.Reshape((height, width, maps))(normed)


def _op(spec: NetworkSpec, op: str) -> keras.layers.Layer:
    if op == "pool":
        return keras.layers.MaxPooling2D(spec.pool.size, spec.pool.stride)
    if op == "dropout":
        return Dropout(**spec.dropout.model_dump())
    return keras.layers.Activation(spec.activation)
