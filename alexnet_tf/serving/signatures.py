"""The network as it is served: preprocessing, views and class names inside TensorFlow functions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.compat import computing_with, tf_variable
from alexnet_tf.config.choices import WEIGHTS
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.data.image_check import check_in_graph, of_any_count
from alexnet_tf.data.views import (
    View,
    looped_mean_probabilities,
    mean_probabilities,
    view_input,
    views,
)
from alexnet_tf.evaluation.features import features_model
from alexnet_tf.network.structure import NetworkSpec
from alexnet_tf.network.weights import arrays_of
from alexnet_tf.runs.directory import Run
from alexnet_tf.runs.restore import restored_model
from alexnet_tf.serving.conversion import converted
from preprocessing.dataset.info import DatasetInfo

TOP = 5


class Served(tf.Module):
    """A run's checkpoint with its signatures.

    N is the side of the dataset's images; n images in a call, of c classes.

    serving_default: images uint8 [n, N, N, 3], RGB → probabilities float32 [n, c].
    classify: encoded string [n], bytes of JPEG, PNG, GIF or BMP files → the `TOP` most probable:
        classes int32, synsets and names string, probabilities float32, each [n, TOP].
    rank: as classify, with all classes.
    decode: encoded string [n] → images uint8 [n, N, N, 3], as the conversion makes them: turned
        upright by their EXIF orientation where the dataset's were (`options["apply_exif"]`).
    features: images uint8 [n, N, N, 3] → features float32 [n, units of the last hidden layer],
        of the center view, after the activation and before dropout.

    Bytes that are no image, or a damaged or oversized one, raise InvalidArgumentError, and the
    whole batch has no result: send images that nobody has looked at one by one, as `predict` does.

    Args:
        weights: "float16" and "bfloat16" halve the files; the stored values are widened again
            before they are used, so only their rounding shows.
        checkpoint: "newest", or "best", of the lowest validation error.
        precision: that of computing, a Keras dtype policy; None for that of the training.
    """

    def __init__(
        self,
        run: Run,
        view_count: int = 1,
        weights: str = "float32",
        checkpoint: str = "newest",
        precision: str | None = None,
    ):
        super().__init__(name="alexnet")
        if weights not in WEIGHTS:
            raise ValueError(f"expected weights in one of {WEIGHTS}. Received: {weights!r}")
        model, transform = restored_model(run, checkpoint, precision)
        stored = _store(model, weights)
        self.stored = [variable for *_, variable in stored]  # tracked: these alone are saved
        self._parts = _Parts(
            run.info,
            run.config.network,
            model,
            features_model(model, run.config.network),
            transform,
            views(run.info.image_size, transform.size, view_count),
            stored,
        )

    @property
    def image_size(self) -> int:
        """N"""
        return self._parts.info.image_size

    @property
    def views(self) -> tuple[View, ...]:
        """What is averaged."""
        return self._parts.views

    @property
    def spec(self) -> NetworkSpec:
        """The network's."""
        return self._parts.spec

    @property
    def feature_count(self) -> int:
        """Units of the last hidden layer."""
        return self._parts.features.output_shape[-1]

    def weights(self) -> dict[str, np.ndarray]:
        """As they are saved, by the names of `network.weights`."""
        return {
            f"{layer.name}/{kind}": variable.numpy() for layer, kind, variable in self._parts.stored
        }

    def trained_weights(self) -> dict[str, np.ndarray]:
        """As they were before they were rounded, float32."""
        return arrays_of(self._parts.model)

    def mean_under(self, view: View) -> np.ndarray:
        """What is subtracted of a view's pixels, mirrored as they are: float32 [S, S, 3]."""
        size = self.image_size
        black = tf.zeros([1, size, size, 3], tf.uint8)
        return -view_input(self._parts.transform, black, view)[0].numpy()

    def signatures(self) -> dict:
        """Concrete functions by name, for tf.saved_model.save."""
        size, classes = self.image_size, len(self._parts.info.classes)
        images = tf.TensorSpec([None, size, size, 3], tf.uint8, "pictures")
        encoded = tf.TensorSpec([None], tf.string, "encoded")
        # Functions of their own, which are saved once for all signatures that call them: the fewer
        # operations there are, the sooner the model is loaded.
        decoded = tf.function(self._decoded, input_signature=[encoded])

        @tf.function(input_signature=[images])
        def probabilities(pictures: tf.Tensor) -> tf.Tensor:
            return of_any_count(self, check_in_graph(pictures, size))

        def ranked(top: int) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
            return lambda encoded: self._ranked(probabilities(decoded(encoded)), top)

        def features(pictures: tf.Tensor) -> tf.Tensor:
            return of_any_count(self.features, check_in_graph(pictures, size))

        functions = {
            "serving_default": (
                lambda pictures: {"probabilities": probabilities(pictures)},
                images,
            ),
            "classify": (ranked(min(TOP, classes)), encoded),
            "rank": (ranked(classes), encoded),
            "decode": (lambda encoded: {"pictures": decoded(encoded)}, encoded),
            "features": (lambda pictures: {"features": features(pictures)}, images),
        }
        return {
            name: tf.function(function, input_signature=[spec]).get_concrete_function()
            for name, (function, spec) in functions.items()
        }

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """uint8 [n, N, N, 3] → probabilities float32 [n, c], averaged over the views."""
        parts = self._parts
        # TFLite, whose batches have a known size, cannot convert the loop.
        loop = len(parts.views) > 1 and images.shape[0] is None
        mean = looped_mean_probabilities if loop else mean_probabilities
        with parts.weights():
            return mean(parts.model, parts.transform, images, parts.views)

    def features(self, images: tf.Tensor) -> tf.Tensor:
        parts = self._parts
        [center] = views(self.image_size, parts.transform.size, 1)
        with parts.weights():
            x = view_input(parts.transform, images, center)
            return tf.cast(parts.features(x, training=False), tf.float32)

    def _decoded(self, encoded: tf.Tensor) -> tf.Tensor:
        encoded = tf.ensure_shape(encoded, [None])  # callers can pass the signature by
        size = self.image_size
        spec = tf.TensorSpec([size, size, 3], tf.uint8)
        info = self._parts.info
        return tf.map_fn(lambda data: converted(data, info), encoded, fn_output_signature=spec)

    def _ranked(self, probabilities: tf.Tensor, top: int) -> dict[str, tf.Tensor]:
        best, index = tf.math.top_k(probabilities, top)
        classes = self._parts.info.classes
        return {
            "classes": index,
            "synsets": tf.gather([name.synset for name in classes], index),
            "names": tf.gather([name.text for name in classes], index),
            "probabilities": best,
        }


@dataclass(frozen=True)
class _Parts:
    """What the functions compute with. No tf.Module, so that nothing of it is saved by itself."""

    info: DatasetInfo
    spec: NetworkSpec
    model: keras.Model
    features: keras.Model
    transform: InputTransform
    views: tuple[View, ...]
    stored: list[tuple]  # the model's weights as they are saved, by `_store`

    def weights(self):
        if all(variable.dtype == tf.float32 for *_, variable in self.stored):
            return contextlib.nullcontext()
        widened = [(layer, kind, tf.cast(v, tf.float32)) for layer, kind, v in self.stored]
        return computing_with(widened)


def _store(model: keras.Model, dtype: str) -> list[tuple]:
    """(layer, "kernel" or "bias", variable) of all weights; new variables where dtype is half."""
    stored = []
    for layer in model.layers:
        for kind in ("kernel", "bias") if hasattr(layer, "kernel") else ():
            variable = tf_variable(getattr(layer, kind))
            if dtype != "float32":
                rounded = tf.cast(variable, dtype)
                variable = tf.Variable(rounded, trainable=False, name=f"{layer.name}_{kind}")
            stored.append((layer, kind, variable))
    return stored
