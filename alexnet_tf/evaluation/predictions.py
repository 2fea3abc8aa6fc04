"""What networks predict, image by image: for reports and figures, on one device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from alexnet_tf.data import reader
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.data.split import Share, Split
from alexnet_tf.data.views import mean_probabilities, views
from alexnet_tf.errors import JobError
from alexnet_tf.runs.reason import reason_of


@contextlib.contextmanager
def reading(split: Split) -> Iterator[None]:
    """Within it, what is wrong with a split's records becomes a JobError of one line."""
    try:
        yield
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        reason = reason_of(error) if isinstance(error, tf.errors.OpError) else "damaged bytes"
        if isinstance(error, tf.errors.ResourceExhaustedError):
            raise JobError(f"out of memory ({reason}); try a smaller --batch-size") from error
        raise JobError(
            f"a record in {split.directory} is missing or damaged ({reason}); see python -m"
            " preprocessing verify"
        ) from error


def check_labels(labels: np.ndarray, split: Split) -> None:
    """Raises JobError for a label that is no class of the dataset (-1: there is none)."""
    classes = len(split.info.classes)
    if (labels >= classes).any() or (labels < -1).any():
        raise JobError(
            f"a record in {split.directory} is damaged: expected labels from 0 to {classes - 1},"
            f" received {int(labels.max() if (labels >= classes).any() else labels.min())}"
        )


Network = tuple[keras.Model, InputTransform]


@dataclass(frozen=True)
class Predictions:
    """Of n images: labels, int32 [n]; probabilities, float32 [networks, n, classes]."""

    labels: np.ndarray
    probabilities: np.ndarray


def predictions(
    networks: Sequence[Network], split: Split, view_count: int = 1, batch_size: int = 64
) -> Iterator[Predictions]:
    """Every image of a split once, in stored order, a batch at a time, with a bar of progress.

    Softmax probabilities are averaged over the views (2012: src/worker.cu).
    Raises JobError: records are missing or damaged.
    """
    info, share = split.info, Share(batch_size)
    sizes = {transform.size for _, transform in networks}
    # A single view of a single size is cut while decoding; else whole images are read.
    whole = view_count > 1 or len(sizes) > 1
    size = info.image_size if whole else sizes.pop()

    @tf.function(reduce_retracing=True)
    def probabilities(images: tf.Tensor) -> tf.Tensor:
        each = [
            mean_probabilities(model, transform, images, views(info.image_size, side, view_count))
            for model, transform in networks
            for side in [transform.size]
        ]
        return tf.stack(each)

    batches = reader.evaluation_batches(split, size, share)
    total = split.batches(share)
    with reading(split):
        for batch in tqdm(
            batches.take(total), total=total, unit="batch", leave=False, disable=None
        ):
            real = batch["weight"].numpy() > 0  # the last batch is padded
            labels = batch["label"].numpy()[real]
            check_labels(labels, split)
            yield Predictions(labels, probabilities(batch["image"]).numpy()[:, real])
