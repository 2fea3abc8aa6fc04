"""Shapes, parameters and operations of a network spec by arithmetic alone, without TensorFlow.

What the Keras model must agree with (a test compares them), what scaled initial weights need, and
what `describe` prints.
"""

from __future__ import annotations

from dataclasses import dataclass

from alexnet_tf.errors import GeometryError
from alexnet_tf.network.spec import VARIANTS, Layer, NetworkSpec, Pool


@dataclass(frozen=True)
class TowerLayer:
    """One layer of one tower. Sizes are the side of a square map; 1 for a fully connected layer."""

    layer: Layer
    towers: int  # how many towers hold it: 2, or 1 for fc8 and one-tower networks
    size_in: int
    channels_in: int  # channels read, over both towers where the layer sees both
    size_conv: int  # after the weights
    size_out: int  # after the layer's ops
    units: int

    @property
    def fan_in(self) -> int:
        """Inputs of one unit."""
        if self.layer.is_conv:
            return self.layer.kernel**2 * self.channels_in
        return self.size_in**2 * self.channels_in

    @property
    def parameters(self) -> int:
        return (self.fan_in + 1) * self.units

    @property
    def multiply_adds(self) -> int:
        """Of one image's forward pass."""
        return self.fan_in * self.units * self.size_conv**2


def pool_size(size: int, pool: Pool) -> int:
    """Positions of a window that may hang over the far edge: ceil((N − size)/stride) + 1."""
    return max(0, -(-(size - pool.size) // pool.stride)) + 1


def conv_size(size: int, layer: Layer) -> int:
    """Positions that fit within the padded input."""
    return (size + sum(layer.pad) - layer.kernel) // layer.stride + 1


def geometry(spec: NetworkSpec) -> tuple[TowerLayer, ...]:
    """The eight layers of one tower, in order. GeometryError where nothing is left of the input."""
    size, own, rows = spec.input_size, 3, []
    for number, layer in enumerate(spec.layers):
        last = number == len(spec.layers) - 1
        both = layer.sees == "both" and number > 0
        channels_in = own * spec.towers if both else own
        after = conv_size(size, layer) if layer.is_conv else 1
        out = pool_size(after, spec.pool) if "pool" in layer.ops else after
        if after < 1:
            raise GeometryError(
                f"expected an input that leaves {layer.name} at least one position, received"
                f" input_size {spec.input_size} (a side of {size} before it)"
            )
        units = spec.units_per_tower(layer)
        towers = 1 if last else spec.towers
        rows.append(TowerLayer(layer, towers, size, channels_in, after, out, units))
        size, own = out, units
    return tuple(rows)


def total_parameters(spec: NetworkSpec) -> int:
    """Of both towers together."""
    return sum(row.parameters * row.towers for row in geometry(spec))


def initial_stds(spec: NetworkSpec) -> dict[str, float]:
    """σ of each layer's initial weights after `init_scaling`, by layer name.

    keep-variance: the pre-activation variance is fan-in·σ²·E[x²], so σ grows with 1/√fan-in.
    """
    full = geometry(VARIANTS[spec.variant]) if spec.variant in VARIANTS else geometry(spec)
    fixed = spec.init_scaling == "fixed"
    return {
        row.layer.name: row.layer.std * (1.0 if fixed else (wide.fan_in / row.fan_in) ** 0.5)
        for row, wide in zip(geometry(spec), full, strict=True)
    }
