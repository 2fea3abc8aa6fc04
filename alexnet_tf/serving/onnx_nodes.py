"""An ONNX graph in the making: its nodes in the order of their computation, and its constants."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

OPSET = 17  # of the operators; onnxruntime knows it from 1.12 on
KINDS = {  # of constants, by NumPy's names
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "int64": TensorProto.INT64,
}


class Nodes:
    """Every result is known by a name, which is also its node's."""

    def __init__(self):
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    def add(self, operator: str, *inputs: str, name: str, **attributes: Any) -> str:
        """A node of one result."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def reshaped(self, x: str, name: str, shape: list[int]) -> str:
        """Of a shape in which 0 keeps an axis as long as it is."""
        return self.add("Reshape", x, self.integers(f"{name}_shape", shape), name=name)

    def split(self, x: str, parts: int, axis: int, name: str) -> list[str]:
        """Equal parts of x along an axis; also of none."""
        results = [f"{name}_{part}" for part in range(parts)]
        self.nodes.append(helper.make_node("Split", [x], results, name, axis=axis))
        return results

    def constant(self, name: str, value: np.ndarray | np.generic) -> str:
        """The array, once for each name."""
        if name not in self.constants:
            kind, content = KINDS[value.dtype.name], value.tobytes()  # in C's order
            tensor = TensorProto(name=name, data_type=kind, dims=value.shape, raw_data=content)
            self.constants[name] = tensor
        return name

    def integers(self, name: str, values: Any) -> str:
        return self.constant(name, np.asarray(values, np.int64))

    def number(self, name: str, value: float) -> str:
        return self.constant(name, np.asarray(value, np.float32))
