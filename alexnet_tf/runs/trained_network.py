"""A trained network in Python: pictures to classes, probabilities and features; a preset of it."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.config.schema import Config
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.data.image_check import check_images, of_any_count
from alexnet_tf.data.views import mean_probabilities, view_input, views
from alexnet_tf.errors import ConfigError
from alexnet_tf.evaluation.features import features_model
from alexnet_tf.runs import presets
from alexnet_tf.serving import image_files
from alexnet_tf.serving.conversion import converted
from preprocessing.dataset.info import ClassName, DatasetInfo


@dataclass(frozen=True)
class RankedClass:
    """A class with its probability; `label` counts the classes from 0."""

    label: int
    synset: str
    name: str
    probability: float


@dataclass(frozen=True, repr=False)
class TrainedNetwork:
    """The network of a run, with a checkpoint's weights.

    model: float32 [n, S, S, 3] → logits float32 [n, classes].
    info: the dataset that it was trained on; `classes` and `image_size` are of it.
    source: the run or preset that it was read from; checkpoint: which one's weights those were.
    """

    model: keras.Model
    config: Config
    info: DatasetInfo
    transform: InputTransform
    source: Path
    checkpoint: str = "newest"

    def __repr__(self) -> str:
        return (
            f"<TrainedNetwork {self.config.network.variant}: {len(self.classes)} classes, images of"
            f" {self.image_size} pixels, input of {self.transform.size},"
            f" {self.model.count_params():,} parameters>"
        )

    @property
    def classes(self) -> tuple[ClassName, ...]:
        """Identifier (`synset`) and readable name (`text`), by label."""
        return self.info.classes

    @property
    def image_size(self) -> int:
        """N, the side of the square images that the methods take: uint8, as they are stored.

        Others raise ConfigError.
        """
        return self.info.image_size

    def predict(
        self, path: str | os.PathLike, top: int = 5, view_count: int = 1
    ) -> list[RankedClass]:
        """The `top` most probable classes of an image file, the best first.

        The file is read, cut and turned as the dataset's conversion does it; JPEG, PNG, GIF, BMP,
        WebP, TIFF, PPM and AVIF. Raises ConfigError if it cannot be read.
        """
        try:
            pixels = converted(tf.constant(image_files.read(os.fspath(path))), self.info)
        except (image_files.Unreadable, tf.errors.InvalidArgumentError, UnicodeError) as error:
            reason = error.message.strip() if isinstance(error, tf.errors.OpError) else str(error)
            reason = " ".join(reason.split())
            raise ConfigError(f"expected an image, received {os.fspath(path)}: {reason}") from error
        [probabilities] = self.probabilities(pixels[None], view_count).numpy()
        order = np.argsort(-probabilities, kind="stable")[:top]
        return [
            RankedClass(int(i), self.classes[i].synset, self.classes[i].text, float(p))
            for i, p in zip(order, probabilities[order], strict=True)
        ]

    def preprocess(self, images: tf.Tensor | np.ndarray) -> tf.Tensor:
        """The network's input, float32 [n, S, S, 3]: the center of uint8 images [n, N, N, 3]."""
        [center] = views(self.image_size, self.transform.size, 1)
        return view_input(self.transform, check_images(images, self.image_size), center)

    def probabilities(self, images: tf.Tensor | np.ndarray, view_count: int = 1) -> tf.Tensor:
        """float32 [n, classes] of uint8 images [n, N, N, 3], averaged over 1, 9 or 10 views."""
        chosen = views(self.image_size, self.transform.size, view_count)
        images = check_images(images, self.image_size)
        return of_any_count(
            lambda x: mean_probabilities(self.model, self.transform, x, chosen), images
        )

    def features(self, images: tf.Tensor | np.ndarray) -> tf.Tensor:
        """float32 [n, units of the last hidden layer] of uint8 images [n, N, N, 3]."""
        return of_any_count(lambda x: self._features(x, training=False), self.preprocess(images))

    @functools.cached_property
    def _features(self) -> keras.Model:
        """Made once: its layers stay tied to the network's for good."""
        return features_model(self.model, self.config.network)

    def save_preset(
        self,
        path: str | os.PathLike,
        *,
        license: str = "",
        intended_use: str = "",
        overwrite: bool = False,
    ) -> None:
        """Writes a directory that `load_preset` reads: the weights as they are now, configuration,
        classes, preprocessing, and a model card (README.md) with the run's evaluations.

        License and intended use stand in the card in your words. The directory appears whole, or
        not at all.

        Raises ConfigError: there is something at `path` (with `overwrite`, other than a preset),
        or the model is not the network of `config`; JobError: it cannot be written.
        """
        presets.save(self, Path(path), (license, intended_use), overwrite)
