"""Response normalization as ONNX nodes: by its own operator where that is the same function."""

from __future__ import annotations

import numpy as np

from alexnet_tf.network.operations import LRN, SpatialNorm
from alexnet_tf.serving.onnx_nodes import Nodes


def over_maps(nodes: Nodes, x: str, channels: int, lrn: LRN, name: str) -> str:
    """y = x / (k + a·Σ x²)^beta over the maps around each; x [n, channels, h, w].

    ONNX's LRN is x / (bias + alpha/size · Σ x²)^beta: its alpha is a · size, as Caffe's and that of
    the 2012 parser. An odd window is the same in both; an even one reaches one map further down
    here, further up there, and is written out.
    """
    a = lrn.alpha / lrn.size if lrn.alpha_over_n else lrn.alpha
    if lrn.size % 2:
        constants = {"alpha": a * lrn.size, "beta": lrn.beta, "bias": lrn.k, "size": lrn.size}
        return nodes.add("LRN", x, name=name, **constants)
    numbers = np.arange(channels)
    distance = numbers[None, :] - numbers[:, None]  # from the map of a row to that of a column
    inside = (distance >= -(lrn.size // 2)) & (distance <= lrn.size - 1 - lrn.size // 2)
    window = nodes.constant(f"{name}_window", np.float32(a * inside)[:, :, None, None])
    k = nodes.constant(f"{name}_k", np.full(channels, lrn.k, np.float32))
    squares = nodes.add("Mul", x, x, name=f"{name}_squares")
    base = nodes.add("Conv", squares, window, k, name=f"{name}_base")
    return _over_power(nodes, x, base, lrn.beta, name)


def over_space(nodes: Nodes, x: str, norm: SpatialNorm, name: str) -> str:
    """y = x / (k + alpha · mean of x²)^beta, the mean over windows in which what lies outside the
    map counts as zero; x [n, channels, h, w].
    """
    before, after = norm.size // 2, norm.size - 1 - norm.size // 2
    squares = nodes.add("Mul", x, x, name=f"{name}_squares")
    mean = nodes.add(
        "AveragePool",
        squares,
        name=f"{name}_mean",
        kernel_shape=[norm.size] * 2,
        strides=[1, 1],
        pads=[before, before, after, after],
        count_include_pad=1,
    )
    alpha, k = (nodes.number(f"{name}_{key}", getattr(norm, key)) for key in ("alpha", "k"))
    scaled = nodes.add("Mul", mean, alpha, name=f"{name}_scaled")
    base = nodes.add("Add", scaled, k, name=f"{name}_base")
    return _over_power(nodes, x, base, norm.beta, name)


def _over_power(nodes: Nodes, x: str, base: str, beta: float, name: str) -> str:
    power = nodes.add("Pow", base, nodes.number(f"{name}_beta", beta), name=f"{name}_power")
    return nodes.add("Div", x, power, name=name)
