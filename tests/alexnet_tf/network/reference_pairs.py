"""A variant as Keras model and as reference network, with the same weights, images and labels."""

import dataclasses

import numpy as np
import tensorflow as tf

from alexnet_tf.network import model as network_model
from alexnet_tf.network.spec import VARIANTS
from alexnet_tf.network.structure import NetworkSpec
from alexnet_tf.network.weights import weights_of
from alexnet_tf.step_context import DropoutRows, using
from tests.reference import network as reference
from tests.reference import variants as reference_variants


def spec_of(name: str, **changes) -> NetworkSpec:
    return NetworkSpec(**{**VARIANTS[name].model_dump(), **changes})


def reference_net(name: str) -> reference_variants.Net:
    """The reference network at the padding that our spec takes (Caffe's: none, of 227)."""
    net = reference_variants.VARIANTS[name]
    if name not in ("caffenet", "bvlc"):
        return net
    conv1 = dataclasses.replace(net.layers[0], padding=(0, 0))
    return dataclasses.replace(net, layers=(conv1, *net.layers[1:]))


class Pair:
    """`net` and `weights` for the reference; `model` is the Keras model with those weights."""

    def __init__(self, name: str, *, batch: int, precision: str = "float32", seed: int = 0, **spec):
        self.spec = spec_of(name, **spec)
        self.net = dataclasses.replace(
            reference_net(name),
            activation=self.spec.activation,
            pool_ties=self.spec.pool.ties if self.spec.pool else "first",
        )
        shapes = reference_variants.weight_shapes(
            self.net, self.spec.width, self.spec.num_classes, self.spec.input_size
        )
        self.model = network_model.build(self.spec, precision=precision)
        rng = np.random.default_rng(seed + 1)
        size = self.spec.input_size
        self.images = _single(rng.uniform(-120, 130, (batch, size, size, 3)))
        self.labels = rng.integers(0, self.spec.num_classes, batch)
        weights = reference.random_weights(shapes, seed)
        # Logits of the order of 1: of a saturated softmax, hardly a gradient is left.
        weights["fc8/kernel"] /= reference.logits(self.net, weights, self.images[:1]).std()
        self.weights = {key: _single(value) for key, value in weights.items()}
        self.load(self.weights)

    def load(self, weights: reference.Weights) -> None:
        for weight in weights_of(self.model):
            weight.variable.assign(weights[weight.name])

    def trained(self) -> reference.Weights:
        return {weight.name: weight.variable.numpy() for weight in weights_of(self.model)}


def masks_of(pair: Pair, seed: tuple[int, int]) -> dict[str, np.ndarray]:
    """The masks that the model's dropout layers will draw: what training leaves of ones."""
    batch, masks = len(pair.images), {}
    for layer in pair.model.layers:
        if "_dropout" not in layer.name:
            continue
        name, _, tower = layer.name.partition("_dropout")
        with using(dropout=DropoutRows(tf.constant(seed), tf.range(batch), batch)):
            kept = layer(tf.ones([batch, *layer.output.shape[1:]]), training=True).numpy()
        masks[name + tower] = (kept > 0).astype(np.float64)
    return masks


def _single(x: np.ndarray) -> np.ndarray:
    """Rounded to float32's values, so that both sides start from the same numbers."""
    return x.astype(np.float32).astype(np.float64)


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a share of the largest expected magnitude."""
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def worst(actual: reference.Weights, expected: reference.Weights) -> tuple[float, str]:
    """The largest relative error among named arrays, and whose it is."""
    if set(actual) != set(expected):
        raise ValueError(f"expected {sorted(expected)}, received {sorted(actual)}")
    return max((relative_error(actual[key], expected[key]), key) for key in expected)
