"""A spec's rows as ONNX nodes: what `network.keras_layers` is in Keras, as in test passes."""

from __future__ import annotations

from alexnet_tf.network import naming
from alexnet_tf.network.geometry import geometry, pool_size
from alexnet_tf.network.structure import Conv, Dense, Layer, Local, NetworkSpec
from alexnet_tf.serving import onnx_layers, onnx_norms
from alexnet_tf.serving.onnx_layers import Weights
from alexnet_tf.serving.onnx_nodes import Nodes

Maps = dict[str, str]  # by tower, names of results [n, channels, h, w], or [n, units]


class OnnxNetwork:
    """Adds one network's nodes to a graph."""

    def __init__(self, nodes: Nodes, spec: NetworkSpec, weights: Weights):
        self.nodes, self.spec, self.weights = nodes, spec, weights
        self.rows = {row.layer.name: row for row in geometry(spec)}

    def results(self, image: str) -> tuple[str, str]:
        """The logits [n, classes] and the features [n, units] (see `evaluation.features`).

        Args: image, a result [n, 3, S, S], the mean subtracted.
        """
        maps, features, reads_maps = dict.fromkeys(self.spec.tower_names, image), "", True
        for layer in self.spec.layers:
            if layer.reads == "both" and self.spec.towers == 2:
                both = self._both(f"{layer.name}_both", maps)
                maps = dict.fromkeys(self.spec.towers_of(layer), both)
            maps = {t: self._weighted(layer, t, x, reads_maps) for t, x in maps.items()}
            reads_maps = isinstance(layer, Conv)
            last_hidden = layer is self.spec.layers[-2]
            if last_hidden and "relu" not in layer.ops:
                features = self._features(maps, reads_maps)
            for op in layer.ops:
                maps = self._followed_by(op, layer, maps)
                if last_hidden and op == "relu":
                    features = self._features(maps, reads_maps)
        (logits,) = maps.values()  # the last layer is in one tower only
        return logits, features

    def _both(self, name: str, maps: Maps) -> str:
        """Both towers' maps, a before b."""
        return self.nodes.add("Concat", maps["a"], maps["b"], name=name, axis=1)

    def _weighted(self, layer: Layer, tower: str, x: str, reads_maps: bool) -> str:
        name = naming.of_tower(layer.name, tower if layer.tower == "each" else "")
        given = (self.nodes, self.weights, name, self.rows[layer.name], x)
        if isinstance(layer, Dense):
            return onnx_layers.dense(*given, reads_maps)
        make = onnx_layers.local if isinstance(layer, Local) else onnx_layers.convolution
        return make(*given)

    def _followed_by(self, op: str, layer: Layer, maps: Maps) -> Maps:
        """One of a layer's `ops`."""
        if op == "lrn" and self.spec.lrn.spans == "both" and self.spec.towers == 2:
            name = f"{layer.name}_lrn"
            both = self._lrn(layer, self._both(f"{name}_both", maps), name, towers=2)
            return dict(zip("ab", self.nodes.split(both, 2, 1, f"{name}_own"), strict=True))
        return {tower: self._operation(op, layer, tower, x) for tower, x in maps.items()}

    def _operation(self, op: str, layer: Layer, tower: str, x: str) -> str:
        spec, name = self.spec, naming.operation(layer.name, op, tower)
        match op:
            case "relu":
                name = naming.operation(layer.name, spec.activation, tower)
                return self.nodes.add(spec.activation.capitalize(), x, name=name)  # Relu, Tanh
            case "lrn":
                return self._lrn(layer, x, name, towers=1)
            case "spatial_norm":
                return onnx_norms.over_space(self.nodes, x, spec.spatial_norm, name)
            case "dropout":
                if spec.dropout.inverted:
                    return x
                keep = self.nodes.number(f"{name}_keep", 1.0 - spec.dropout.rate)
                return self.nodes.add("Mul", x, keep, name=name)
            case "pool":
                return self._pool(layer, x, name)
        raise ValueError(f"expected an operation of a layer, received {op!r}")

    def _lrn(self, layer: Layer, x: str, name: str, towers: int) -> str:
        channels = towers * self.rows[layer.name].units
        if isinstance(layer, Conv):
            return onnx_norms.over_maps(self.nodes, x, channels, self.spec.lrn, name)
        # Units are maps of one pixel.
        x = self.nodes.reshaped(x, f"{name}_maps", [0, channels, 1, 1])
        x = onnx_norms.over_maps(self.nodes, x, channels, self.spec.lrn, f"{name}_of_maps")
        return self.nodes.add("Flatten", x, name=name)

    def _pool(self, layer: Conv, x: str, name: str) -> str:
        """Padded only by what the last window hangs over; it counts for neither kind."""
        pool, side = self.spec.pool_of(layer), self.rows[layer.name].size_conv
        over = (pool_size(side, pool.size, pool.stride) - 1) * pool.stride + pool.size - side
        return self.nodes.add(
            "AveragePool" if pool.kind == "average" else "MaxPool",
            x,
            name=name,
            kernel_shape=[pool.size] * 2,
            strides=[pool.stride] * 2,
            pads=[0, 0, over, over],
        )

    def _features(self, maps: Maps, are_maps: bool) -> str:
        """Of both towers; of maps each place's: row, column, map."""
        x = self._both("features_both", maps) if len(maps) == 2 else maps[""]
        if not are_maps:
            return x
        x = self.nodes.add("Transpose", x, name="features_maps_last", perm=[0, 2, 3, 1])
        return self.nodes.add("Flatten", x, name="features_flat")
