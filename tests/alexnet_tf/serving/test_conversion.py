"""The served graph's conversion of a file, as a whole."""

import dataclasses

import pytest
import tensorflow as tf

from alexnet_tf.serving.conversion import converted
from tests import tiny_datasets


@pytest.fixture(scope="module")
def graphs(tmp_path_factory) -> list[dict[str, tf.compat.v1.NodeDef]]:
    """The nodes by name of the graph, and of each function in it."""
    info = tiny_datasets.write(tmp_path_factory.mktemp("data"), size=24)
    info = dataclasses.replace(info, options={"apply_exif": True})
    served = tf.function(
        lambda encoded: converted(encoded, info), input_signature=[tf.TensorSpec([], tf.string)]
    )
    graph = served.get_concrete_function().graph.as_graph_def()
    parts = [graph.node, *(function.node_def for function in graph.library.function)]
    return [{node.name: node for node in nodes} for nodes in parts]


def test_nothing_is_transposed(graphs):
    """Of bytes, TensorFlow would report at the first image that oneDNN has no transposition."""
    kinds = {node.op for nodes in graphs for node in nodes.values()}
    assert "Einsum" in kinds
    assert "Transpose" not in kinds


def test_no_stride_is_negative(graphs):
    """Of constants, TensorFlow would report at the first image that it cannot work them out."""
    strides = [
        nodes[node.input[3].split(":")[0]]
        for nodes in graphs
        for node in nodes.values()
        if node.op == "StridedSlice"
    ]
    known = [tf.make_ndarray(n.attr["value"].tensor) for n in strides if n.op == "Const"]
    assert len(known) > len(strides) / 2
    assert min(stride.min() for stride in known) > 0
