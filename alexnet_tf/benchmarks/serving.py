"""benchmark export: latency and throughput of a SavedModel."""

from __future__ import annotations

import tensorflow as tf

from alexnet_tf.benchmarks.table import Row, Table
from alexnet_tf.benchmarks.timing import measure
from alexnet_tf.serving.load import load_saved_model

BATCHES = (1, 8, 64)


def table(directory: str, seconds: float) -> Table:
    """Images a second of `serving_default` at several batch sizes; the latency of a call."""
    model = load_saved_model(directory)
    serve = model.signatures["serving_default"]
    (spec,) = serve.structured_input_signature[1].values()
    side = spec.shape[1]

    def case(batch: int):
        images = tf.cast(tf.random.uniform([batch, side, side, 3], 0, 256, tf.int32), tf.uint8)

        def call() -> float:
            serve(**{spec.name: images})["probabilities"].numpy()
            return float(batch)

        return call

    rates = measure({f"batch {batch}": case(batch) for batch in BATCHES}, seconds)
    rows = [
        Row(name, rate, note=f"{1000 * float(name.split()[1]) / rate:.1f} ms a call")
        for name, rate in rates.items()
    ]
    return Table(f"SavedModel {directory}", "images/s", rows)
