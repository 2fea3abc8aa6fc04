"""The served graph's conversion of a file, as a whole."""

import dataclasses

import tensorflow as tf

from alexnet_tf.serving.conversion import converted
from tests import tiny_datasets


def test_nothing_is_transposed(tmp_path):
    """Of bytes, TensorFlow would report at the first image that oneDNN has no transposition."""
    info = tiny_datasets.write(tmp_path, size=24)
    info = dataclasses.replace(info, options={"apply_exif": True})
    served = tf.function(
        lambda encoded: converted(encoded, info), input_signature=[tf.TensorSpec([], tf.string)]
    )
    graph = served.get_concrete_function().graph.as_graph_def()
    kinds = {node.op for node in graph.node}
    kinds |= {node.op for function in graph.library.function for node in function.node_def}
    assert "Einsum" in kinds
    assert "Transpose" not in kinds
