"""Images beside what a network makes of them: for figures and the embedding projector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.data import reader
from alexnet_tf.data.split import Share, Split
from alexnet_tf.data.verification import reading
from alexnet_tf.data.views import view_input, views
from alexnet_tf.evaluation.features import features_model
from alexnet_tf.evaluation.predictions import Network
from alexnet_tf.figures.tiles import thumbnails
from alexnet_tf.network.structure import NetworkSpec


@dataclass(frozen=True)
class ImageFeatures:
    """n images in stored order, seen in the center view.

    images: uint8 [n, side, side, 3], scaled down.  labels: int32 [n].
    probabilities: float32 [n, classes].  features: float32 [n, units] (see `features_model`).
    """

    images: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    features: np.ndarray


class FeatureExtractor:
    """A network's features and probabilities; traced once, for any number of calls."""

    def __init__(self, network: Network, spec: NetworkSpec, image_size: int):
        model, transform = network
        both = keras.Model(model.input, [features_model(model, spec).output, model.output])
        [center] = views(image_size, transform.size, 1)

        @tf.function(reduce_retracing=True, autograph=False)
        def forward(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            features, logits = both(view_input(transform, images, center), training=False)
            return tf.cast(features, tf.float32), tf.nn.softmax(logits)

        self._forward = forward

    def extract(
        self,
        split: Split,
        limit: int,
        side: int,
        batch_size: int = 64,
        stopping: Callable[[], bool] = lambda: False,
    ) -> ImageFeatures:
        """The first `limit` images of a split (a random sample: conversion permutes them).

        Args: side, that of the images returned, in pixels; at most their own. stopping, asked after
        every batch: it ends early, with fewer images.
        Raises JobError: records are missing or damaged.
        """
        size, batch_size = split.info.image_size, min(batch_size, limit)
        batches = reader.evaluation_batches(split, size, Share(batch_size))
        columns = []
        with reading(split):
            for batch in batches.take(-(-limit // batch_size)):
                real, images = batch["weight"].numpy() > 0, batch["image"]
                features, probabilities = (part.numpy()[real] for part in self._forward(images))
                small = thumbnails(images.numpy()[real], min(side, size))
                columns.append((small, batch["label"].numpy()[real], probabilities, features))
                if stopping():
                    break
        return ImageFeatures(
            *(np.concatenate(column)[:limit] for column in zip(*columns, strict=True))
        )


def together(networks: Sequence[ImageFeatures]) -> ImageFeatures:
    """Of networks on the same images: their mean probabilities, and their features side by side."""
    first = networks[0]
    return ImageFeatures(
        first.images,
        first.labels,
        np.mean([each.probabilities for each in networks], axis=0),
        np.concatenate([each.features for each in networks], axis=1),
    )


def nearest_neighbors(features: np.ndarray, others: np.ndarray, count: int) -> np.ndarray:
    """int [n, count]: the rows of `others` at the smallest Euclidean distance, nearest first.

    Args: features float32 [n, units]; others float32 [m, units].
    """
    squares = (others.astype(np.float64) ** 2).sum(axis=1)
    distances = squares - 2 * features.astype(np.float64) @ others.astype(np.float64).T
    return np.argsort(distances, axis=1, kind="stable")[:, :count]  # up to |feature|², a constant
