"""The network as a plain Keras functional model, built from a spec.

image [N, S, S, 3] (RGB, grey levels with the mean subtracted) → logits [N, classes], float32.
"""

from __future__ import annotations

import zlib

import keras

from alexnet_tf.network import naming, towers
from alexnet_tf.network.geometry import geometry, initial_stds
from alexnet_tf.network.spec import Layer, NetworkSpec
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
    """
    return _Builder(spec, seed, precision, placement).model()


class _Builder:
    """Holds what every layer of one network shares."""

    def __init__(self, spec: NetworkSpec, seed: int, precision: str, placement: Placement | None):
        self.spec, self.seed = spec, seed
        self.geometry = {row.layer.name: row for row in geometry(spec)}
        self.policy = keras.mixed_precision.Policy(precision)
        self.placement = placement
        self.stds = initial_stds(spec)

    def model(self) -> keras.Model:
        size = self.spec.input_size
        image = keras.Input((size, size, 3), name="image")
        maps = dict.fromkeys(self.spec.tower_names, image)
        if len(maps) == 2:
            maps = {t: towers.TowerInput(**self.options(t, "image"))(image) for t in maps}
        for layer in self.spec.layers[:-1]:
            if layer.sees == "both":
                maps = self.cross_talk(maps, layer)
            maps = {t: self.weights(layer, t)(self.shaped(layer, t, x)) for t, x in maps.items()}
            for op in layer.ops:
                maps = self.apply(op, layer, maps)
        head = self.spec.layers[-1]
        both = self.joined(maps, head, self.spec.tower_names[0])  # fc8 is on tower a's device
        logits = self.weights(head, self.spec.tower_names[0], last=True)(both)
        return keras.Model(image, logits, name=f"alexnet_{self.spec.variant.replace('-', '_')}")

    def options(self, tower: str, name: str) -> dict:
        return {
            "name": naming.of_tower(name, tower),
            "tower": tower,
            "placement": self.placement,
            "dtype": self.policy,
        }

    def cross_talk(self, maps: dict, layer: Layer) -> dict:
        """Each tower gets the maps of both, a before b, on its own device."""
        return {tower: self.joined(maps, layer, tower) for tower in maps}

    def joined(self, maps: dict, layer: Layer, tower: str):
        if len(maps) == 1:
            return maps[tower]
        options = self.options(tower, f"{layer.name}_both")
        return towers.CrossTalk(**options)([maps["a"], maps["b"]])

    def shaped(self, layer: Layer, tower: str, x):
        """Zero padding that Keras' "same" does not give; maps flattened for a connected layer."""
        if layer.is_conv and not self._same(layer):
            pad = (layer.pad, layer.pad)
            return towers.ZeroPadding2D(pad, **self.options(tower, f"{layer.name}_pad"))(x)
        if not layer.is_conv and len(x.shape) == 4:
            return towers.Flatten(**self.options(tower, f"{layer.name}_flat"))(x)
        return x

    @staticmethod
    def _same(layer: Layer) -> bool:
        return layer.pad == (0, 0) or (
            layer.stride == 1 and layer.pad == ((layer.kernel - 1) // 2, layer.kernel // 2)
        )

    def weights(self, layer: Layer, tower: str, last: bool = False):
        name = layer.name if last else naming.of_tower(layer.name, tower)
        options = {**self.options(tower, layer.name), "name": name, **self.initial(layer, name)}
        if last:  # logits in the variables' own precision, whatever the layers compute in
            options["dtype"] = self.policy.variable_dtype
        units = self.spec.units_per_tower(layer)
        if not layer.is_conv:
            return towers.Dense(units, **options)
        same = layer.pad != (0, 0) and self._same(layer)
        padding = "same" if same else "valid"
        return towers.Conv2D(units, layer.kernel, layer.stride, padding=padding, **options)

    def initial(self, layer: Layer, name: str) -> dict:
        seed = (self.seed * 1_000_003 + zlib.crc32(name.encode())) % 2**31
        if self.spec.initializer == "fan-in-uniform":
            limit = self.geometry[layer.name].fan_in ** -0.5
            kernel = keras.initializers.RandomUniform(-limit, limit, seed=seed)
            bias = keras.initializers.RandomUniform(-limit, limit, seed=seed + 1)
        else:
            kernel = keras.initializers.RandomNormal(stddev=self.stds[layer.name], seed=seed)
            bias = keras.initializers.Constant(layer.bias)
        return {"kernel_initializer": kernel, "bias_initializer": bias}

    def apply(self, op: str, layer: Layer, maps: dict) -> dict:
        if op == "lrn" and self.spec.lrn.spans == "both" and len(maps) == 2:
            return self.lrn_over_both(layer, maps)
        return {tower: self.op(op, layer, tower)(x) for tower, x in maps.items()}

    def op(self, op: str, layer: Layer, tower: str):
        spec, options = self.spec, self.options(tower, f"{layer.name}_{op}")
        if op == "relu":
            options["name"] = options["name"].replace("relu", spec.activation)
            return towers.Activation(spec.activation, **options)
        if op == "lrn":
            return towers.LocalResponseNormalization(
                **spec.lrn.model_dump(exclude={"spans"}), **options
            )
        if op == "spatial_norm":
            return towers.SpatialResponseNormalization(**spec.spatial_norm.model_dump(), **options)
        if op == "dropout":
            return towers.Dropout(**spec.dropout.model_dump(), **options)
        # Where the last window hangs over the edge, TensorFlow's "same" pads just that overhang.
        size = self.geometry[layer.name].size_conv
        overhang = (size - spec.pool.size) % spec.pool.stride != 0 or size < spec.pool.size
        padding = "same" if overhang else "valid"
        return towers.MaxPooling2D(spec.pool.size, spec.pool.stride, padding=padding, **options)

    def lrn_over_both(self, layer: Layer, maps: dict) -> dict:
        """Caffe's norm: the window crosses from tower a's maps into tower b's."""
        normed = {}
        for tower in maps:
            both = self.joined(maps, layer.model_copy(update={"name": f"{layer.name}_lrn"}), tower)
            own = towers.OwnMaps(**self.options(tower, f"{layer.name}_lrn_own"))
            normed[tower] = own(self.op("lrn", layer, tower)(both))
        return normed
