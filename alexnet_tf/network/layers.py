"""The layers Keras lacks: response normalization over maps, over space, and 2012's dropout."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from alexnet_tf import step_context
from alexnet_tf.compat import register
from alexnet_tf.step_context import current, fusible

Shape = tuple[int | None, ...]


def _check(condition: bool, expected: str, **received: Any) -> None:
    if not condition:
        raise ValueError(
            f"expected {expected}. Received: "
            + ", ".join(f"{name}={value!r}" for name, value in received.items())
        )


def _window_sum(x: tf.Tensor, before: int, after: int) -> tf.Tensor:
    """Σ of x over channels i−before … i+after, clipped at the ends, as shifted slices."""
    channels = x.shape[-1]
    padded = tf.pad(x, [[0, 0]] * (x.shape.rank - 1) + [[before, after]])
    return tf.add_n([padded[..., i : i + channels] for i in range(before + after + 1)])


def _over_power(x: tf.Tensor, d: tf.Tensor, beta: float, unit: float = 2.0**-44) -> tf.Tensor:
    """x / d^beta; the usual beta of 3/4 needs only square roots, which are far cheaper.

    Where XLA compiles it they are taken of `unit` · d, whose power 3/2 float32 can hold wherever it
    holds d: fewer passes over memory. Elsewhere no constant is needed, which matters where TFLite
    stores them as float16 (export --tflite --weights float16): 2^-44 would be 0 there.
    """
    if beta != 0.75:
        return x * tf.pow(d, -beta)
    if not current().fused:
        root = tf.sqrt(d)
        return x / (root * tf.sqrt(root))
    small = unit * d
    return x / (unit**-0.75 * tf.sqrt(small * tf.sqrt(small)))


def local_response_normalization(
    x: tf.Tensor, size: int, coefficient: float, k: float, beta: float
) -> tf.Tensor:
    """y_i = x_i / (k + coefficient · Σ_j x_j²)^beta over the `size` maps around i (last axis).

    The window is i−⌊size/2⌋ … i−⌊size/2⌋+size−1, clipped to the maps there are (2012 paper §3.3;
    cuda-convnet's cross-map kernel). Half-precision input is computed in float32, where x² cannot
    overflow and small terms are not lost beside k, and cast back.

    The gradient, with D the base of the power: dx_i = g_i D_i^−beta − 2·coefficient·beta·x_i·Σ_j
    g_j x_j D_j^(−beta−1) over the j whose windows hold i.
    """
    window = (size // 2, size - 1 - size // 2)
    half = x.dtype.size < 4

    @fusible
    def normalized(x: tf.Tensor) -> tf.Tensor:
        wide = tf.cast(x, tf.float32) if half else x
        d = k + coefficient * _window_sum(wide * wide, *window)
        return tf.cast(_over_power(wide, d, beta), x.dtype)

    @fusible
    def gradient(x: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
        dtype = x.dtype
        if half:
            x, g = tf.cast(x, tf.float32), tf.cast(g, tf.float32)
        # Computed once more rather than kept: memory costs more than arithmetic. For the same
        # reason the power stands here in two units: XLA would give a common one its own pass.
        d = k + coefficient * _window_sum(x * x, *window)
        shared = _window_sum(_over_power(g * x, d, beta) / d, *reversed(window))
        direct = _over_power(g, d, beta, unit=2.0**-48)
        return tf.cast(direct - (2.0 * coefficient * beta) * x * shared, dtype)

    @tf.custom_gradient
    def normalize(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        return normalized(x), functools.partial(gradient, x)

    return normalize(x)


def spatial_response_normalization(
    x: tf.Tensor, size: int, alpha: float, k: float, beta: float
) -> tf.Tensor:
    """y = x / (k + alpha/size² · Σ x²)^beta over the size×size window of the same map.

    Windows are centered and clipped at the edges; positions outside count as zero, and nothing is
    renormalized there (net 145's layer `cnorm2`, type rnorm). x: [N, H, W, C].
    """
    wide = tf.cast(x, tf.float32) if x.dtype.size < 4 else x
    before, after = size // 2, size - 1 - size // 2
    padded = tf.pad(wide * wide, [[0, 0], [before, after], [before, after], [0, 0]])
    # The mean over the padded window is Σ/size²: the division of alpha comes for free.
    d = k + alpha * tf.nn.avg_pool2d(padded, size, 1, "VALID")
    return tf.cast(_over_power(wide, d, beta), x.dtype)


@register
class LocalResponseNormalization(keras.layers.Layer):
    """Cross-map normalization of the paper's §3.3: y_i = x_i / (k + a·Σ_j x_j²)^beta.

    Args:
        size: n, the number of neighboring maps summed (not a radius).
        alpha: factor of the sum, or of the mean where `alpha_over_n` (then a = alpha / size, as the
            2012 parser and Caffe compute it; the paper and TensorFlow do not divide).
        k, beta: the additive constant and the power.

    Call: x of any rank, maps last; the same shape and dtype comes out.
    """

    def __init__(
        self,
        size: int = 5,
        alpha: float = 1e-4,
        alpha_over_n: bool = False,
        k: float = 2.0,
        beta: float = 0.75,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        _check(
            isinstance(size, int) and size >= 1, "size to be an integer of at least 1", size=size
        )
        _check(alpha >= 0 and k > 0, "alpha of at least 0 and k above 0", alpha=alpha, k=k)
        self.size, self.alpha, self.alpha_over_n = size, alpha, alpha_over_n
        self.k, self.beta = k, beta

    def call(self, x: tf.Tensor) -> tf.Tensor:
        coefficient = self.alpha / self.size if self.alpha_over_n else self.alpha
        return local_response_normalization(x, self.size, coefficient, self.k, self.beta)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        names = ("size", "alpha", "alpha_over_n", "k", "beta")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@register
class SpatialResponseNormalization(keras.layers.Layer):
    """Within-map normalization of net 145: y = x / (k + alpha/size²·Σ x²)^beta, x [N, H, W, C]."""

    def __init__(
        self,
        size: int = 5,
        alpha: float = 1e-3,
        k: float = 1.0,
        beta: float = 0.75,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        _check(
            isinstance(size, int) and size >= 1, "size to be an integer of at least 1", size=size
        )
        _check(alpha >= 0 and k > 0, "alpha of at least 0 and k above 0", alpha=alpha, k=k)
        self.size, self.alpha, self.k, self.beta = size, alpha, k, beta

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return spatial_response_normalization(x, self.size, self.alpha, self.k, self.beta)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        names = ("size", "alpha", "k", "beta")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@register
class Dropout(keras.layers.Layer):
    """Dropout as in 2012, or inverted.

    2012 (`src/layer.cu`): in training y = x·mask, unscaled; in any other pass y = x·(1 − rate).
    Inverted (`inverted=True`): in training y = x·mask/(1 − rate); otherwise y = x. They are not
    equivalent at equal initial weights, rate and decay. x is [N, units] or [N, H, W, C].
    """

    def __init__(self, rate: float = 0.5, inverted: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        _check(0 <= rate < 1, "rate within [0, 1)", rate=rate)
        self.rate, self.inverted = rate, inverted

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        keep = 1.0 - self.rate
        if not training:
            return x if self.inverted else x * tf.cast(keep, x.dtype)
        mask = tf.cast(self._uniform(x) < keep, x.dtype)
        return x * mask / tf.cast(keep, x.dtype) if self.inverted else x * mask

    def _uniform(self, x: tf.Tensor) -> tf.Tensor:
        step = step_context.current().dropout
        if step is None:
            return tf.random.uniform(tf.shape(x))
        layer = tf.constant([zlib.crc32(self.name.encode()) & 0x7FFFFFFF, 0], tf.int32)
        whole = [step.global_batch_size, *x.shape[1:]]
        return tf.gather(tf.random.stateless_uniform(whole, step.seed + layer), step.rows)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "inverted": self.inverted}
