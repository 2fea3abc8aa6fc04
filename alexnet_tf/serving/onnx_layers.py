"""Layers of weights as ONNX nodes.

Maps are [n, channels, h, w], as ONNX's operators take them; the weights of Keras, whose maps come
last, are laid out anew for that.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from alexnet_tf.network.geometry import TowerLayer
from alexnet_tf.serving.onnx_nodes import Nodes

Weights = dict[str, np.ndarray]  # by name, as `network.weights` names them


def convolution(nodes: Nodes, weights: Weights, name: str, row: TowerLayer, x: str) -> str:
    before, after = row.layer.pad
    return nodes.add(
        "Conv",
        x,
        _stored(nodes, f"{name}/kernel", weights[f"{name}/kernel"].transpose(3, 2, 0, 1)),
        _stored(nodes, f"{name}/bias", weights[f"{name}/bias"]),
        name=name,
        kernel_shape=[row.layer.kernel] * 2,
        strides=[row.layer.stride] * 2,
        pads=[before, before, after, after],
    )


def local(nodes: Nodes, weights: Weights, name: str, row: TowerLayer, x: str) -> str:
    """A convolution with other weights at every place: the windows of each, times its kernel.

    ONNX has no operator for it. A 0 in a Reshape keeps an axis, here n, which is not known.
    """
    before, after = row.layer.pad
    side, kernel = row.size_in + before + after, row.layer.kernel
    pads = nodes.integers(f"{name}_pads", [0, 0, before, before, 0, 0, after, after])
    x = nodes.add("Pad", x, pads, name=f"{name}_pad")
    x = nodes.reshaped(x, f"{name}_pixels", [0, row.channels_in, side**2])
    numbers = np.arange(side**2).reshape(side, side)
    windows = np.lib.stride_tricks.sliding_window_view(numbers, (kernel, kernel))
    windows = windows[:: row.layer.stride, :: row.layer.stride].reshape(-1, kernel**2)
    x = nodes.add(
        "Gather", x, nodes.integers(f"{name}_places", windows), name=f"{name}_taken", axis=2
    )  # [n, channels, places, kernel²]
    x = nodes.add("Transpose", x, name=f"{name}_by_place", perm=[2, 0, 3, 1])
    places = len(windows)
    x = nodes.reshaped(x, f"{name}_windows", [places, 0, row.fan_in])
    by_place = weights[f"{name}/kernel"].reshape(places, row.fan_in, row.units)
    bias = weights[f"{name}/bias"].reshape(places, 1, row.units)
    stored = _stored(nodes, f"{name}/kernel", by_place)
    x = nodes.add("MatMul", x, stored, name=f"{name}_product")
    x = nodes.add("Add", x, _stored(nodes, f"{name}/bias", bias), name=f"{name}_sum")
    x = nodes.add("Transpose", x, name=f"{name}_by_map", perm=[1, 2, 0])
    return nodes.reshaped(x, name, [0, row.units, row.size_conv, row.size_conv])


def dense(
    nodes: Nodes, weights: Weights, name: str, row: TowerLayer, x: str, reads_maps: bool
) -> str:
    """A matrix product; maps are flattened: in Keras row, column, map; here map first."""
    kernel = weights[f"{name}/kernel"]
    if reads_maps:
        x = nodes.add("Flatten", x, name=f"{name}_flat")
        by_place = kernel.reshape(row.size_in, row.size_in, row.channels_in, row.units)
        kernel = by_place.transpose(2, 0, 1, 3).reshape(kernel.shape)
    stored = _stored(nodes, f"{name}/kernel", kernel)
    return nodes.add(
        "Gemm", x, stored, _stored(nodes, f"{name}/bias", weights[f"{name}/bias"]), name=name
    )


def _stored(nodes: Nodes, name: str, value: np.ndarray) -> str:
    """A weight as a constant; one in half precision is widened before it is used."""
    if value.dtype == np.float32:
        return nodes.constant(name, value)
    return nodes.add("Cast", nodes.constant(f"{name}_half", value), name=name, to=TensorProto.FLOAT)
