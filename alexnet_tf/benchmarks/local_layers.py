"""benchmark local: locally connected layers beside the matrix products that they need."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from alexnet_tf import step_context
from alexnet_tf.benchmarks.table import Row, Table
from alexnet_tf.benchmarks.timing import measure
from alexnet_tf.compat import tf_variable
from alexnet_tf.network.local import LocallyConnected2D

SIZE = 3
SHAPES = {  # side of the map, maps in, units: of cuda-convnet's CIFAR-10 networks
    "13pct local3, 11pct local4": (6, 64, 32),
    "13pct local4": (6, 32, 32),
    "11pct local3": (6, 64, 64),
}


def table(batch: int, seconds: float) -> Table:
    """Images a second, forward and backward, beside those of the three products of every place."""
    cases = {}
    for name, shape in SHAPES.items():
        cases[name] = layer(*shape, batch)
        cases[f"{name}: products"] = products(*shape, batch)
    rates = measure(cases, seconds)
    rows = [Row(name, rates[name], rates[f"{name}: products"]) for name in SHAPES]
    return Table(f"Local layers, forward and backward, batch {batch}", "images/s", rows)


def layer(side: int, maps: int, units: int, batch: int) -> Callable[[], float]:
    """A case: the output, and the gradients by input, kernel and bias, as in a training step."""
    made = LocallyConnected2D(units, SIZE, pad=(SIZE // 2, SIZE // 2))
    x = tf.random.normal([batch, side, side, maps])
    g = tf.random.normal(made(x).shape)

    weights = [tf_variable(weight) for weight in (made.kernel, made.bias)]

    @tf.function(autograph=False)
    def forward_and_backward(x: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
        with step_context.using(fused=True), tf.GradientTape() as tape:
            tape.watch(x)
            y = made(x)
        return _ends([y, *tape.gradient(y, [x, *weights], g)])

    def case() -> float:
        forward_and_backward(x, g).numpy()
        return float(batch)

    return case


def products(side: int, maps: int, units: int, batch: int) -> Callable[[], float]:
    """A case: what is multiplied in a layer of this shape, from operands that lie ready."""
    places, inputs = side**2, SIZE**2 * maps
    windows, kernel, g = (
        tf.random.normal([places, *rest])
        for rest in ((batch, inputs), (inputs, units), (batch, units))
    )

    @tf.function(autograph=False)
    def forward_and_backward(windows: tf.Tensor, kernel: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
        y = tf.matmul(windows, kernel)
        by_kernel = tf.matmul(windows, g, transpose_a=True)
        return _ends([y, by_kernel, tf.matmul(g, kernel, transpose_b=True)])

    def case() -> float:
        forward_and_backward(windows, kernel, g).numpy()
        return float(batch)

    return case


def _ends(tensors: list[tf.Tensor]) -> tf.Tensor:
    """One number of each, so that all must be computed and none be returned."""
    return tf.add_n([tf.reshape(tensor, [-1])[0] for tensor in tensors])
