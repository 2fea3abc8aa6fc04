"""The served network as a TensorFlow Lite file, checked against the network it was made from."""

from __future__ import annotations

import warnings

import numpy as np
import tensorflow as tf

from alexnet_tf.serving.signatures import Served
from alexnet_tf.serving.tflite_labels import with_labels

TOLERANCE = 1e-4  # between probabilities; its kernels sum in another order


class TFLiteMismatch(Exception):
    """The converted file computes other probabilities; str() says by how much."""


def convert(served: Served, half: bool, labels: str) -> bytes:
    """A .tflite file: uint8 [1, N, N, 3], RGB → probabilities float32 [1, classes].

    Args:
        labels: the classes' names, a line each, that are to be in it.
        half: store the weights as float16.
    Raises:
        TFLiteMismatch: it differs from `served` by more than TOLERANCE (with `half`, 100 times
            that) on random images.
    """
    size = served.image_size
    spec = tf.TensorSpec([1, size, size, 3], tf.uint8, "images")

    @tf.function(input_signature=[spec])
    def probabilities(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "probabilities": served(tf.cast(images, tf.float32))
        }  # TFLite cannot choose between uint8 tensors

    function = probabilities.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], served)
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    content = with_labels(converter.convert(), labels, served.name)
    images = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), np.uint8)
    difference = np.abs(interpret(content, images) - served(tf.constant(images)).numpy()).max()
    if not difference <= TOLERANCE * (100 if half else 1):
        raise TFLiteMismatch(
            f"expected the TFLite file to answer as the network, received probabilities that"
            f" differ by {difference:.1e}"
        )
    return content


def interpret(content: bytes, images: np.ndarray) -> np.ndarray:
    """Probabilities float32 [n, classes] of uint8 images [n, N, N, 3] by TFLite's interpreter."""
    with warnings.catch_warnings():  # of its move to ai_edge_litert, which TensorFlow lacks
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    [given], [received] = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for image in images:
        interpreter.set_tensor(given["index"], image[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(received["index"])[0])
    return np.stack(rows)
