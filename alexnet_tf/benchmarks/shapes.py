"""The matrix products that a training step consists of, and what they alone would take."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from alexnet_tf.network.geometry import TowerLayer, geometry
from alexnet_tf.network.structure import Local, NetworkSpec

# Values of a left matrix that a product is given at once, 4 MB of float32. A convolution never
# writes out its windows, as a product does that is as large; so many come from a processor's cache.
AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Product:
    """`count` products at once of [rows, inner] by [inner, columns], done `times` times a step."""

    count: int
    rows: int
    inner: int
    columns: int
    times: int = 1

    @property
    def operations(self) -> float:
        """Of a step: two for each multiply-add."""
        return 2.0 * self.count * self.rows * self.inner * self.columns * self.times

    def parted(self) -> Product:
        """The same with fewer rows, or less within, at once: nearly equal work, never less."""
        parts = -(-self.count * self.rows * self.inner // AT_ONCE)
        if self.rows >= self.inner:
            return dataclasses.replace(self, rows=-(-self.rows // parts), times=self.times * parts)
        return dataclasses.replace(self, inner=-(-self.inner // parts), times=self.times * parts)


def products(spec: NetworkSpec, batch: int) -> list[Product]:
    """Of the layers' forward passes and of the gradients by their weights and by their inputs.

    The image itself needs no gradient.
    """
    rows = geometry(spec)
    return [product for row in rows for product in _of_layer(row, batch, row is rows[0])]


def operations(spec: NetworkSpec) -> float:
    """Floating-point operations of a training step for one image."""
    return sum(product.operations for product in products(spec, 1))


def own_rate(spec: NetworkSpec, batch: int, dtype: tf.DType = tf.float32) -> Callable[[], float]:
    """A case whose items are the images of a training step that is nothing but its products."""
    parted = [product.parted() for product in products(spec, batch)]
    share = sum(p.operations for p in parted) / batch / operations(spec)  # a little more than 1
    matrices = [(p.times, *_matrices(p, dtype)) for p in parted]

    def case() -> float:
        for times, a, b in matrices:
            for _ in range(times):
                last = tf.matmul(a, b)
            last.numpy()
        return batch * share

    return case


def _of_layer(row: TowerLayer, batch: int, first: bool) -> list[Product]:
    places = row.size_conv**2
    count, windows = (places, batch) if isinstance(row.layer, Local) else (1, places * batch)
    forward = Product(count, windows, row.fan_in, row.units, row.towers)
    by_weights = Product(count, row.fan_in, windows, row.units, row.towers)
    by_inputs = Product(count, windows, row.units, row.fan_in, row.towers)
    return [forward, by_weights] if first else [forward, by_weights, by_inputs]


def _matrices(product: Product, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
    left, right = [product.rows, product.inner], [product.inner, product.columns]
    batch = [product.count] if product.count > 1 else []
    return tuple(tf.cast(tf.random.normal(batch + side), dtype) for side in (left, right))
