"""benchmark train: the whole training step beside what the processor could do at most."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf import step_context
from alexnet_tf.benchmarks import networks
from alexnet_tf.benchmarks.reading import input_case
from alexnet_tf.benchmarks.shapes import operations, own_rate
from alexnet_tf.benchmarks.table import Row, Table
from alexnet_tf.benchmarks.timing import matrix_rate, measure
from alexnet_tf.config.schema import Config
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.data.reader import training_batches
from alexnet_tf.data.split import Share, Split
from alexnet_tf.network.model import build
from alexnet_tf.network.weights import weights_of
from alexnet_tf.step_context import DropoutRows
from alexnet_tf.training.optimizers.optimizer import Optimizer
from alexnet_tf.training.step import StepInputs, TrainingStep
from preprocessing.dataset.info import ColorStatistics

# Any statistics will do for a measurement: these are round figures.
COLOR = ColorStatistics(
    (128.0, 128.0, 128.0), (20.0, 40.0, 120.0), ((1, 0, 0), (0, 1, 0), (0, 0, 1))
)


def table(config: Config, split: Split | None, seconds: float) -> Table:
    """Images a second; with a dataset also of the same step fed from its records."""
    spec, batch = config.network, config.training.global_batch_size
    strategy = tf.distribute.MirroredStrategy([first_device()])
    memory = repeated(strategy, spec.input_size, batch, spec.num_classes)
    with strategy.scope():
        model = build(spec)
        half = build(spec, precision="mixed_bfloat16")
        rivals = networks.rivals(spec, model)
    cases = {
        name: case_of(strategy, config, other, memory)
        for name, other in {"float32": model, **rivals, "bfloat16": half}.items()
    }
    cases["nothing compiled"] = case_of(strategy, config, model, memory, jit_compile="none")
    if split is not None:
        records = _from_records(strategy, config, split)
        cases["from records"] = case_of(strategy, config, model, records)
    limits = {}
    for dtype in (tf.float32, tf.bfloat16):
        limits[f"large {dtype.name}"] = matrix_rate(dtype)
        limits[f"own {dtype.name}"] = own_rate(spec, batch, dtype)
    rates = measure({**limits, **cases}, seconds)
    flops, step = operations(spec), rates["float32"]
    rows = []
    for name in ("float32", "bfloat16"):
        large, own = rates.pop(f"large {name}") / flops, rates.pop(f"own {name}")
        figure = rates.pop(name)
        rows += [
            Row(name, figure, large, "limit: large products of as many operations"),
            Row(f"{name} by its sizes", figure, own, "limit: products of its own sizes"),
            Row(f"{name}, sizes alone", own, large, "limit: large products"),
        ]
    rows += [Row(name, rate, step, "limit: float32") for name, rate in rates.items()]
    of_half = rows[3]
    facts = {
        "network": f"{spec.variant}, width {spec.width}, {spec.input_size} px, batch {batch}",
        "operations": f"{flops / 1e9:.3g} GFLOP an image",
        "matrix rate": f"{rows[0].limit * flops / 1e9:.0f} GFLOP/s float32,"
        f" {of_half.limit * flops / 1e9:.0f} bfloat16",
        "bfloat16": f"{of_half.figure / step:.2f} × float32",
        "peak memory": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB"
        f" ({len(rivals) + 2} networks at once)",
    }
    if "no norm" in rates:
        facts["norms"] = f"{1 - step / rates['no norm']:.1%} of the step"
    return Table("training step", "images/s", rows, facts)


def feeding(config: Config, split: Split, seconds: float) -> Table:
    """Images a second of the step fed from records, beside the same step on one batch in memory.

    Where decoding shares the cores with the step, `shared` is what remains for both in turns; the
    rest that is missing is waiting.
    """
    spec, batch = config.network, config.training.global_batch_size
    strategy = tf.distribute.MirroredStrategy([first_device()])
    memory = repeated(strategy, spec.input_size, batch, spec.num_classes)
    records = _from_records(strategy, config, split)
    with strategy.scope():
        model = build(spec)
    cases = {
        "one batch in memory": case_of(strategy, config, model, memory),
        "from records": case_of(strategy, config, model, records),
        "input alone": input_case(split, config.data, spec.input_size, batch),
    }
    step, fed, alone = measure(cases, seconds, settling=seconds).values()
    shared = 1 / (1 / step + 1 / alone)
    rows = [
        Row("one batch in memory", step),
        Row("input alone", alone),
        Row("from records", fed, step, "limit: one batch in memory"),
        Row("shared", shared, step, "what decoding on the step's own cores leaves of it"),
    ]
    facts = {
        "network": f"{spec.variant}, width {spec.width}, {spec.input_size} px, batch {batch}",
        "from records ÷ shared": f"{fed / shared:.2f}",
    }
    return Table("training step fed from records", "images/s", rows, facts)


def _from_records(strategy: tf.distribute.Strategy, config: Config, split: Split) -> Iterator[dict]:
    share, size = Share(config.training.global_batch_size), config.network.input_size
    feed = lambda _: training_batches(split, config.data, size, share, 0)  # noqa: E731
    return iter(strategy.distribute_datasets_from_function(feed))


def first_device() -> str:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return devices[0].name


def repeated(
    strategy: tf.distribute.Strategy, size: int, batch: int, classes: int
) -> Iterator[dict]:
    """One batch in memory, over and over, as `data.reader` would give it."""
    rng = np.random.default_rng(0)
    columns = {
        "image": rng.integers(0, 256, (batch, size, size, 3), dtype=np.uint8),
        "label": rng.integers(0, classes, batch, dtype=np.int32),
        "weight": np.ones(batch, np.float32),
        "row": np.arange(batch, dtype=np.int32),
        "offset": np.zeros((batch, 2), np.int32),
        "flip": rng.random(batch) < 0.5,
        "noise": rng.standard_normal((batch, 3)).astype(np.float32),
    }
    make = lambda _: tf.data.Dataset.from_tensors(columns).repeat().prefetch(2)  # noqa: E731
    return iter(strategy.distribute_datasets_from_function(make))


def case_of(
    strategy: tf.distribute.Strategy,
    config: Config,
    model: keras.Model,
    iterator: Iterator[dict],
    jit_compile: str = "elementwise",
) -> Callable[[], float]:
    """A case whose items are the images of one execution of the configured number of steps."""
    spec, batch = config.network, config.training.global_batch_size
    mean = np.full((spec.input_size, spec.input_size, 3), 128.0, np.float32)
    transform = InputTransform(mean, COLOR, config.data, spec.input_size)

    def forward(images: tf.Tensor, seed: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        with step_context.using(dropout=DropoutRows(seed, rows, batch)):
            return model(images, training=True)

    with strategy.scope():
        weights = weights_of(model)
        step = TrainingStep(
            strategy,
            Optimizer(config.optimizer, weights),
            transform.training,
            forward,
            jit_compile=jit_compile,
        )
    # Hardly moving, so that no figure depends on what is learned.
    steps = config.training.steps_per_execution
    arguments = [StepInputs((1e-6,) * len(weights), 0.1, (0, 0))] * steps

    def case() -> float:
        step(iterator, arguments).numpy()
        return float(steps * batch)

    return case
