"""Shapes, parameters and operations of a network spec by arithmetic alone, without TensorFlow.

What the Keras model must agree with (a test compares them), what scaled initial weights need, and
what `describe` prints. A network whose geometry can be computed can be built.
"""

from __future__ import annotations

from dataclasses import dataclass

from alexnet_tf.errors import GeometryError
from alexnet_tf.network.structure import Conv, Layer, Local, NetworkSpec

MOST = 2**31 - 1  # of elements in one array, which libraries number in 32 bits


@dataclass(frozen=True)
class TowerLayer:
    """One layer of one tower. Sizes are the side of a square map; 1 for a fully connected layer."""

    layer: Layer
    towers: int  # how many towers hold it: 2, or 1 for fc8 and one-tower networks
    size_in: int
    channels_in: int  # channels read, over both towers where the layer reads both
    size_conv: int  # after the weights
    size_out: int  # after the layer's ops
    units: int

    @property
    def fan_in(self) -> int:
        """Inputs of one unit."""
        if isinstance(self.layer, Conv):
            return self.layer.kernel**2 * self.channels_in
        return self.size_in**2 * self.channels_in

    @property
    def parameters(self) -> int:
        places = self.size_conv**2 if isinstance(self.layer, Local) else 1
        return (self.fan_in + 1) * self.units * places

    @property
    def multiply_adds(self) -> int:
        """Of one image's forward pass."""
        return self.fan_in * self.units * self.size_conv**2


def pool_size(side: int, size: int, stride: int) -> int:
    """Windows along a side; the last may hang over its end: ceil((side − size)/stride) + 1."""
    return max(0, -(-(side - size) // stride)) + 1


def conv_size(size: int, layer: Conv) -> int:
    """Positions that fit within the padded input."""
    return (size + sum(layer.pad) - layer.kernel) // layer.stride + 1


def geometry(spec: NetworkSpec) -> tuple[TowerLayer, ...]:
    """The layers of one tower, in order.

    Raises GeometryError, naming the layer: nothing is left of the input, or an array is too large.
    """
    size, channels, rows = spec.input_size, 3, []
    for layer in spec.layers:
        channels_in = channels * spec.towers if layer.reads == "both" else channels
        conv = isinstance(layer, Conv)
        after = conv_size(size, layer) if conv else 1
        if after < 1:
            raise GeometryError(
                f"expected an input that leaves {layer.name} at least one position, received"
                f" input_size {spec.input_size} (a side of {size} before it)"
            )
        pool = spec.pool_of(layer) if "pool" in layer.ops else None
        out = pool_size(after, pool.size, pool.stride) if pool else after
        units, towers = spec.units_per_tower(layer), len(spec.towers_of(layer))
        row = TowerLayer(layer, towers, size, channels_in, after, out, units)
        padded = size + sum(layer.pad) if conv else size
        largest = max(row.parameters, after**2 * units, padded**2 * channels_in)
        if largest > MOST:
            raise GeometryError(
                f"expected arrays of at most {MOST:,} numbers, received one of {largest:,} in"
                f" {layer.name}"
            )
        rows.append(row)
        size, channels = out, units
    return tuple(rows)


def total_parameters(spec: NetworkSpec) -> int:
    """Of both towers together."""
    return sum(row.parameters * row.towers for row in geometry(spec))
