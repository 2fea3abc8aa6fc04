"""The Python interface: build a network, load a trained one, give it a new head.

Imported through the package: `from alexnet_tf import AlexNet, load_model, load_run, new_head`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.compat import load_keras_file
from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import Config
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.data.image_check import check_images, of_any_count
from alexnet_tf.data.views import mean_probabilities, view_input, views
from alexnet_tf.errors import ConfigError
from alexnet_tf.evaluation.features import features_model
from alexnet_tf.network import model as network
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs import presets
from alexnet_tf.runs.preset_files import checkpoint_of, expect_preset, hint, is_preset
from alexnet_tf.runs.restore import restored_model
from alexnet_tf.serving import image_files
from alexnet_tf.serving.conversion import converted
from preprocessing.dataset.info import ClassName, DatasetInfo


def AlexNet(
    variant: str = "paper",
    *,
    num_classes: int = 1000,
    seed: int = 0,
    precision: str = "float32",
    **changes,
) -> keras.Model:
    """An untrained network: a plain Keras functional model.

    Args:
        variant: a name in alexnet_tf.network.spec.VARIANTS, such as "paper", "original", "bvlc".
        num_classes: units of the last layer.
        seed: fixes the initial weights.
        precision: "float32", "mixed_bfloat16" or "mixed_float16".
        changes: other fields of NetworkSpec, such as width=0.5, input_size=128, activation="tanh".

    Returns:
        float32 [n, S, S, 3], RGB in grey levels 0…255 minus the training set's mean, to logits
        float32 [n, num_classes]. Compile it with a loss `from_logits=True`.

    Raises:
        ConfigError: no such variant or field, or a value out of range.
        GeometryError: an input too small for the network.
    """
    tree = {"variant": variant, "num_classes": num_classes, **changes}
    spec = config_files.parse({"network": tree}, "AlexNet").network
    return network.build(spec, seed=seed, precision=precision)


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
        model = features_model(self.model, self.config.network)
        return of_any_count(lambda x: model(x, training=False), self.preprocess(images))

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


def load_preset(path: str | os.PathLike) -> TrainedNetwork:
    """The network that `save_preset` wrote, with whichever TensorFlow.

    Raises RunError if it is no preset or a damaged one, ConfigError or DatasetError if what it
    describes is not possible.
    """
    expect_preset(Path(path))
    return load_run(path)


def load_run(path: str | os.PathLike, checkpoint: str = "newest") -> TrainedNetwork:
    """The network of a run directory (or of a preset), with a checkpoint's weights.

    Args: checkpoint, "newest", or "best", of the lowest top-1 error of validation.

    Raises RunError if it is no run or has no such checkpoint, ConfigError or DatasetError if
    damaged; ValueError for another name of a checkpoint.
    """
    run = run_directory.load(path)
    model, transform = restored_model(run, checkpoint)
    if is_preset(run.path):
        checkpoint = checkpoint_of(run.path)
    return TrainedNetwork(model, run.config, run.info, transform, run.path, checkpoint)


def load_model(path: str | os.PathLike) -> keras.Model:
    """The network that `model.save(path)` wrote; path ends with ".keras".

    Unlike keras.saving.load_model, from Keras 3.1 on it also reads files of Keras 2.15. Those come
    without their optimizer: compile the network to train it. Others come as they were saved.

    Raises ValueError if it is no such file, or one that this Keras cannot read (its weights alone
    go everywhere: save_weights, load_weights); FileNotFoundError if there is none.
    """
    if os.path.isdir(path):
        raise ValueError(f"expected a .keras file, received {os.fspath(path)}{hint(Path(path))}")
    return load_keras_file(os.fspath(path))


def new_head(
    model: keras.Model, num_classes: int, *, freeze: bool = True, seed: int = 0
) -> keras.Model:
    """The model with a fresh last layer, for other classes; the other layers are shared.

    Args:
        freeze: train the new layer only (sets the other layers' `trainable`).
        seed: fixes the new layer's initial weights, N(0, 0.01²) as in the paper.

    Raises ValueError for less than two classes.
    """
    if num_classes < 2:
        raise ValueError(f"expected at least two classes. Received: num_classes={num_classes}")
    for layer in model.layers[:-1]:
        layer.trainable = not freeze
    head = keras.layers.Dense(
        num_classes,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01, seed=seed),
        dtype="float32",
        name="head",
    )
    return keras.Model(model.input, head(model.layers[-1].input), name=f"{model.name}_new_head")
