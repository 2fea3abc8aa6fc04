"""Initial weights and biases of every layer, as the spec says."""

from __future__ import annotations

import zlib

import keras

from alexnet_tf.network.geometry import TowerLayer, geometry
from alexnet_tf.network.spec import VARIANTS
from alexnet_tf.network.structure import NetworkSpec


def initial_stds(spec: NetworkSpec) -> dict[str, float]:
    """σ of each layer's initial weights after `init_scaling`, by layer name.

    keep-variance: the pre-activation variance is fan-in·σ²·E[x²], so σ grows with 1/√fan-in. The
    full network is that of the same variant, or, of a name of one's own, the same at width 1.
    """
    rows = geometry(spec)
    if spec.init_scaling == "fixed":
        return {row.layer.name: row.layer.std for row in rows}
    whole = VARIANTS.get(spec.variant) or spec.model_copy(update={"width": 1.0})
    full = {row.layer.name: row.fan_in for row in geometry(whole)}
    return {
        row.layer.name: row.layer.std * (full[row.layer.name] / row.fan_in) ** 0.5 for row in rows
    }


def initializers(
    spec: NetworkSpec, row: TowerLayer, std: float, name: str, seed: int
) -> dict[str, keras.initializers.Initializer]:
    """Of the kernel and the bias of the layer of a tower that is called `name`.

    Args: std, the layer's σ (see `initial_stds`); seed, the network's: each name has its own draws.
    """
    seed = (seed * 1_000_003 + zlib.crc32(name.encode())) % 2**31
    if spec.initializer == "fan-in-uniform":
        limit = row.fan_in**-0.5
        kernel = keras.initializers.RandomUniform(-limit, limit, seed=seed)
        bias = keras.initializers.RandomUniform(-limit, limit, seed=seed + 1)
    else:
        kernel = keras.initializers.RandomNormal(stddev=std, seed=seed)
        bias = keras.initializers.Constant(row.layer.bias)
    return {"kernel_initializer": kernel, "bias_initializer": bias}
