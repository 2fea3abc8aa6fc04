"""A spec's rows as Keras layers of a tower: the weights, what stands before them, what follows."""

from __future__ import annotations

from typing import Any

import keras

from alexnet_tf.network import initial, naming, padding, towers
from alexnet_tf.network.geometry import geometry
from alexnet_tf.network.structure import Conv, Layer, Local, NetworkSpec
from alexnet_tf.network.towers import Placement

Maps = dict[str, Any]  # by tower, Keras' symbolic tensors [n, h, w, maps], or [n, units]


class KerasLayers:
    """Makes the layers of one network; they share its geometry, precision, seed and placement."""

    def __init__(self, spec: NetworkSpec, seed: int, precision: str, placement: Placement | None):
        self.spec, self.seed, self.placement = spec, seed, placement
        self.policy = keras.mixed_precision.Policy(precision)
        self.rows = {row.layer.name: row for row in geometry(spec)}
        self.stds = initial.initial_stds(spec)

    def tower_inputs(self, image: Any) -> Maps:
        """The image, as each tower reads it on its own device."""
        if self.spec.towers == 1:
            return {"": image}
        names = self.spec.tower_names
        return {tower: towers.TowerInput(**self._options("image", tower))(image) for tower in names}

    def joined(self, layer: Layer, maps: Maps) -> Maps:
        """Cross-talk: what both towers hold, a before b, on the device of each that reads it."""
        if self.spec.towers == 1:
            return maps
        return {tower: self._both(layer.name, tower, maps) for tower in self.spec.towers_of(layer)}

    def weighted(self, layer: Layer, maps: Maps) -> Maps:
        """Each tower's maps through its own convolution or product, and the bias."""
        return {
            tower: self._weights(layer, tower)(self._padded_or_flat(layer, tower, x))
            for tower, x in maps.items()
        }

    def followed_by(self, op: str, layer: Layer, maps: Maps) -> Maps:
        """One of a layer's `ops`."""
        if op == "lrn" and self.spec.lrn.spans == "both" and self.spec.towers == 2:
            return {tower: self._lrn_over_both(layer, tower, maps) for tower in maps}
        return {tower: self._operation(op, layer, tower)(x) for tower, x in maps.items()}

    def _options(self, name: str, tower: str) -> dict[str, Any]:
        return {
            "name": naming.of_tower(name, tower),
            "tower": tower,
            "placement": self.placement,
            "dtype": self.policy,
        }

    def _both(self, name: str, tower: str, maps: Maps) -> Any:
        join = towers.CrossTalk(**self._options(f"{name}_both", tower))
        return join([maps["a"], maps["b"]])

    def _padded_or_flat(self, layer: Layer, tower: str, x: Any) -> Any:
        if isinstance(layer, Local):  # pads by itself
            return x
        if isinstance(layer, Conv):
            pad = padding.zeros_before(layer)
            if pad is None:
                return x
            return towers.ZeroPadding2D((pad, pad), **self._options(f"{layer.name}_pad", tower))(x)
        if len(x.shape) == 4:
            return towers.Flatten(**self._options(f"{layer.name}_flat", tower))(x)
        return x

    def _weights(self, layer: Layer, tower: str) -> keras.layers.Layer:
        alone = layer.tower != "each"  # its weights are of no tower, wherever they lie
        options = {**self._options(layer.name, tower)}
        options["name"] = name = naming.of_tower(layer.name, "" if alone else tower)
        if layer is self.spec.layers[-1]:  # logits as the variables are, whatever layers compute in
            options["dtype"] = self.policy.variable_dtype
        row, std = self.rows[layer.name], self.stds[layer.name]
        options |= initial.initializers(self.spec, row, std, name, self.seed)
        if not isinstance(layer, Conv):
            return towers.Dense(row.units, **options)
        if isinstance(layer, Local):
            window = (layer.kernel, layer.stride, layer.pad)
            return towers.LocallyConnected2D(row.units, *window, **options)
        pads = padding.of_convolution(layer)
        return towers.Conv2D(row.units, layer.kernel, layer.stride, padding=pads, **options)

    def _operation(self, op: str, layer: Layer, tower: str) -> keras.layers.Layer:
        spec, options = self.spec, self._options(f"{layer.name}_{op}", tower)
        match op:
            case "relu":
                options["name"] = naming.operation(layer.name, spec.activation, tower)
                return towers.Activation(spec.activation, **options)
            case "lrn":
                constants = spec.lrn.model_dump(exclude={"spans"})
                return towers.LocalResponseNormalization(**constants, **options)
            case "spatial_norm":
                constants = spec.spatial_norm.model_dump()
                return towers.SpatialResponseNormalization(**constants, **options)
            case "dropout":
                return towers.Dropout(**spec.dropout.model_dump(), **options)
            case "pool":
                pool = spec.pool_of(layer)
                if pool.ties == "all":
                    return towers.AllTiesMaxPooling2D(pool.size, pool.stride, **options)
                pads = padding.of_pool(self.rows[layer.name].size_conv, pool)
                average = pool.kind == "average"
                kind = towers.AveragePooling2D if average else towers.MaxPooling2D
                return kind(pool.size, pool.stride, padding=pads, **options)
        raise ValueError(f"expected an operation of a layer, received {op!r}")

    def _lrn_over_both(self, layer: Layer, tower: str, maps: Maps) -> Any:
        """Caffe's norm: the window crosses from tower a's maps into tower b's."""
        both = self._both(f"{layer.name}_lrn", tower, maps)
        own_maps = towers.OwnMaps(**self._options(f"{layer.name}_lrn_own", tower))
        return own_maps(self._operation("lrn", layer, tower)(both))
