"""The served network as a TensorFlow Lite file, checked against the network it was made from."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from alexnet_tf.errors import JobError
from alexnet_tf.serving.signatures import Served
from alexnet_tf.serving.tflite_labels import with_labels

FILE = "model.tflite"
TOLERANCE = 1e-4  # between probabilities; its kernels sum in another order


def convert(served: Served, half: bool, labels: str) -> bytes:
    """A .tflite file: uint8 [1, N, N, 3], RGB → probabilities float32 [1, classes].

    Args:
        served: computing in float32; TFLite knows no other precision of it.
        half: store the weights as float16.
        labels: the classes' names, a line each, that are to be in it.
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
    return with_labels(converter.convert(), labels, served.name)


def check(content: bytes, served: Served, half: bool) -> float:
    """How far the file's probabilities are from those of `served`, on random images.

    Raises JobError: by more than TOLERANCE, or 100 times that with `half`.
    """
    size = served.image_size
    images = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), np.uint8)
    difference = np.abs(interpret(content, images) - served(tf.constant(images)).numpy()).max()
    if not difference <= TOLERANCE * (100 if half else 1):
        raise JobError(
            f"expected the TFLite file to answer as the network, received probabilities that"
            f" differ by {difference:.1e}"
        )
    return float(difference)


def interpret(content: bytes, images: np.ndarray) -> np.ndarray:
    """Probabilities float32 [n, classes] of uint8 images [n, N, N, 3] by TFLite's interpreter."""
    interpreter = open_interpreter(content)
    interpreter.allocate_tensors()
    [given], [received] = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for image in images:
        interpreter.set_tensor(given["index"], image[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(received["index"])[0])
    return np.stack(rows)


def open_interpreter(content: bytes) -> Any:
    """LiteRT's, where the package ai-edge-litert is installed: TFLite's home since 2024, an extra.
    Otherwise TensorFlow's own, which announces its end.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        with warnings.catch_warnings():  # that it moves to ai_edge_litert
            warnings.simplefilter("ignore")
            return tf.lite.Interpreter(model_content=content)
    return Interpreter(model_content=content)
