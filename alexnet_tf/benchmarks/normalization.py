"""benchmark lrn: forward and backward of response normalization, by implementation and dtype."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from alexnet_tf import step_context
from alexnet_tf.benchmarks.table import Row, Table
from alexnet_tf.benchmarks.timing import copy_rate, measure
from alexnet_tf.network.layers import local_response_normalization

SHAPES = {"layer 1": (55, 55, 48), "layer 2": (27, 27, 128)}  # of a tower
DTYPES = ("float32", "bfloat16", "float16")


def ours(x: tf.Tensor) -> tf.Tensor:
    return local_response_normalization(x, 5, 1e-4, 2.0, 0.75)


def of_tensorflow(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.local_response_normalization(x, 2, 2.0, 1e-4, 0.75)


def plain(x: tf.Tensor) -> tf.Tensor:
    """The formula as it stands, with autodiff."""
    squares = tf.pad(x * x, [[0, 0], [0, 0], [0, 0], [2, 2]])
    total = tf.add_n([squares[..., i : i + x.shape[-1]] for i in range(5)])
    return x * tf.pow(2.0 + 1e-4 * total, -0.75)


# "compiled" is ours as within a training step.
FORMS = {"compiled": ours, "ours": ours, "tf.nn": of_tensorflow, "plain": plain}


def table(batch: int, seconds: float) -> Table:
    """Images a second of one tower's norm, beside the rate of reading and writing x, g, dx, y."""
    cases, notes = {"copy": copy_rate()}, {}
    for layer, shape in SHAPES.items():
        for dtype in DTYPES:
            x = tf.cast(tf.random.normal([batch, *shape]), dtype)
            for name, function in FORMS.items():
                key = f"{layer} {dtype} {name}"
                if name == "tf.nn" and dtype == "bfloat16":
                    notes[key] = "no such kernel"
                    continue
                cases[key] = _case(function, x, fuse=name == "compiled")
    rates = measure(cases, seconds)
    bandwidth = rates.pop("copy")
    rows = []
    for key, rate in rates.items():
        layer, dtype = key[:7], key.split()[2]
        height, width, maps = SHAPES[layer]
        moved = 6 * height * width * maps * tf.as_dtype(dtype).size  # y = f(x), then dx = f'(x, g)
        rows.append(Row(key, rate, bandwidth / moved))
    facts = {"copying": f"{bandwidth / 1e9:.1f} GB/s", **notes}
    return Table("LRN, forward and backward", "images/s", rows, facts)


def _case(
    function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor, fuse: bool
) -> Callable[[], float]:
    @tf.function(autograph=False)
    def forward_and_backward(x: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
        with step_context.using(fused=fuse):
            y = function(x)
            (dx,) = tf.gradients(y, x, g)
        return y[0, 0, 0, 0] + dx[0, 0, 0, 0]

    g = tf.ones_like(x)

    def case() -> float:
        forward_and_backward(x, g).numpy()
        return float(x.shape[0])

    return case
