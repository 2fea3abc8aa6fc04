"""benchmark export: latency and throughput of a SavedModel, and of the ONNX file beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from alexnet_tf.benchmarks.table import Row, Table
from alexnet_tf.benchmarks.timing import measure
from alexnet_tf.serving import onnx_file
from alexnet_tf.serving.load import load_saved_model

BATCHES = (1, 8, 64)


def table(directory: str, seconds: float) -> Table:
    """Images a second of `serving_default` at several batch sizes; the latency of a call.

    The same by ONNX Runtime, if there is a file for it; ConfigError if its packages are missing.
    """
    model = load_saved_model(directory)
    serve = model.signatures["serving_default"]
    (spec,) = serve.structured_input_signature[1].values()
    side = spec.shape[1]

    def case(answer: Callable, batch: int) -> Callable[[], float]:
        images = tf.cast(tf.random.uniform([batch, side, side, 3], 0, 256, tf.int32), tf.uint8)

        def call() -> float:
            answer(images).numpy()
            return float(batch)

        return call

    answers = {"": lambda images: serve(**{spec.name: images})["probabilities"]}
    if (Path(directory) / onnx_file.FILE).is_file():
        onnx_file.expect_packages(str(Path(directory) / onnx_file.FILE))
        answers[f"{onnx_file.FILE}, "] = onnx_file.probabilities(Path(directory))
    cases = {
        f"{name}batch {batch}": case(answer, batch)
        for name, answer in answers.items()
        for batch in BATCHES
    }
    rates = measure(cases, seconds)
    rows = [
        Row(name, rate, note=f"{1000 * float(name.split()[-1]) / rate:.1f} ms a call")
        for name, rate in rates.items()
    ]
    return Table(f"SavedModel {directory}", "images/s", rows)
