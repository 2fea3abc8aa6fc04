"""The served network as an ONNX model.

Built from the same settings and weights as the Keras network, and not converted from TensorFlow's
graph: so it has ONNX's own LRN, names that can be read, and needs `onnx` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, helper

from alexnet_tf.data.views import View, views
from alexnet_tf.serving.onnx_network import OnnxNetwork
from alexnet_tf.serving.onnx_nodes import OPSET, Nodes
from alexnet_tf.serving.signatures import Served
from preprocessing.dataset.version import VERSION

IR_VERSION = 8  # of the file's format: the oldest that OPSET goes with
OUTPUTS = ["probabilities", "features"]


def convert(served: Served, metadata: dict[str, str]) -> ModelProto:
    """pictures uint8 [n, N, N, 3], RGB → probabilities float32 [n, classes], averaged over the
    views, and features float32 [n, units], of the center view; n may be 0.
    """
    nodes = Nodes()
    inputs = [_view(nodes, served, view, number) for number, view in enumerate(served.views)]
    x = inputs[0] if len(inputs) == 1 else nodes.add("Concat", *inputs, name="views", axis=0)
    x = nodes.add("Transpose", x, name="image", perm=[0, 3, 1, 2])
    logits, features = OnnxNetwork(nodes, served.spec, served.weights()).results(x)
    probabilities = nodes.add("Softmax", logits, name="softmax", axis=1)
    if len(inputs) > 1:
        probabilities = _mean(nodes, nodes.split(probabilities, len(inputs), 0, "of_view"))
        [center] = views(served.image_size, served.spec.input_size, 1)
        parts = nodes.split(features, len(inputs), 0, "features_of_view")
        features = parts[served.views.index(center)]
    nodes.add("Identity", probabilities, name="probabilities")
    nodes.add("Identity", features, name="features")
    return _model(nodes, served, metadata)


def _view(nodes: Nodes, served: Served, view: View, number: int) -> str:
    """A view's pixels minus the mean, float32 [n, S, S, 3]."""
    name, mean = f"view{number}", served.mean_under(view)
    size, x = mean.shape[0], "pictures"
    if size < served.image_size:
        corner = [view.y, view.x]
        start = nodes.integers(f"{name}_start", corner)
        end = nodes.integers(f"{name}_end", [place + size for place in corner])
        axes = nodes.integers("rows_and_columns", [1, 2])
        x = nodes.add("Slice", x, start, end, axes, name=f"{name}_crop")
    if view.mirrored:  # from the last column to the first, which is before none, step by step
        last, beyond, columns = (
            nodes.integers(key, [value])
            for key, value in (("back", -1), ("beyond", -size - 1), ("columns", 2))
        )
        x = nodes.add("Slice", x, last, beyond, columns, last, name=f"{name}_mirrored")
    x = nodes.add("Cast", x, name=f"{name}_levels", to=TensorProto.FLOAT)
    return nodes.add("Sub", x, nodes.constant(f"{name}_mean", mean), name=name)


def _mean(nodes: Nodes, parts: list[str]) -> str:
    total = nodes.add("Sum", *parts, name="sum_of_views")
    return nodes.add("Div", total, nodes.number("view_count", len(parts)), name="mean_of_views")


def _model(nodes: Nodes, served: Served, metadata: dict[str, str]) -> ModelProto:
    size = served.image_size
    meaning = ["DATA_BATCH", "DATA_FEATURE", "DATA_FEATURE", "DATA_CHANNEL"]  # ONNX's words
    value = helper.make_tensor_value_info
    pictures = value("pictures", TensorProto.UINT8, ["n", size, size, 3], "", meaning)
    pictures.type.denotation = "IMAGE"
    widths = (served.spec.num_classes, served.feature_count)
    outputs = [
        value(name, TensorProto.FLOAT, ["n", width])
        for name, width in zip(OUTPUTS, widths, strict=True)
    ]
    graph = helper.make_graph(
        nodes.nodes, served.name, [pictures], outputs, list(nodes.constants.values())
    )
    model = helper.make_model(
        graph,
        producer_name="alexnet_tf",
        producer_version=VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, metadata)
    return model


def session(path: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """A function of pictures, uint8 [n, N, N, 3]: all outputs, by onnxruntime on the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    loaded = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def answer(pictures: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(OUTPUTS, loaded.run(OUTPUTS, {"pictures": pictures}), strict=True))

    return answer
