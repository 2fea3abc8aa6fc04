"""benchmark train --scaling: what a step costs as the batch or the network grows."""

from __future__ import annotations

import gc
import resource

import tensorflow as tf

from alexnet_tf.benchmarks.shapes import operations, own_rate
from alexnet_tf.benchmarks.table import Row, Table
from alexnet_tf.benchmarks.timing import matrix_rate, measure
from alexnet_tf.benchmarks.training import case_of, first_device, repeated
from alexnet_tf.config.schema import Config
from alexnet_tf.network.model import build

BATCHES = (16, 32, 64, 128, 256)
WIDTHS = (0.25, 0.5, 0.75, 1.0)


def table(config: Config, seconds: float) -> Table:
    """Images a second by batch size at the last width, and by width at the configured batch.

    One network at a time, so that the last of all, the largest, sets the peak of memory.
    """
    batch = config.training.global_batch_size
    sizes = [(width, batch) for width in WIDTHS] + [(WIDTHS[-1], size) for size in BATCHES]
    rows = []
    for width, size in dict.fromkeys(sizes):
        network = config.network.model_copy(update={"width": width})
        training = config.training.model_copy(update={"global_batch_size": size})
        grown = config.model_copy(update={"network": network, "training": training})
        rate, limit, own = _rates(grown, seconds)
        note = f"{rate / own:.2f} of its own products, {1000 * size / rate:,.0f} ms a step"
        note += f", {_gibibytes():.1f} GiB so far"
        rows.append(Row(f"width {width}, batch {size}", rate, limit, note))
    facts = {"network": f"{config.network.variant}, {config.network.input_size} px, float32"}
    return Table("training step by size", "images/s", rows, facts)


def _rates(config: Config, seconds: float) -> tuple[float, float, float]:
    """Of the step, of as many operations in large products, and of its own, measured in turns."""
    spec, batch = config.network, config.training.global_batch_size
    strategy = tf.distribute.MirroredStrategy([first_device()])
    memory = repeated(strategy, spec.input_size, batch, spec.num_classes)
    with strategy.scope():
        step = case_of(strategy, config, build(spec), memory)
    limits = {"matrix": matrix_rate(), "own": own_rate(spec, batch)}
    rates = measure({"step": step, **limits}, seconds, rounds=3)
    del step, memory
    gc.collect()
    return rates["step"], rates["matrix"] / operations(spec), rates["own"]


def _gibibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
