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
from alexnet_tf.data.verification import ShardVerifier, reading
from alexnet_tf.data.views import mean_probabilities, views
from alexnet_tf.errors import JobError
from alexnet_tf.runs.reason import reason_of

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

    Raises DatasetError where a shard is missing or of another size, JobError where records cannot
    be read or are not those that dataset_info.json describes, or memory does not suffice.
    """
    info = split.info
    share = Share(min(batch_size, sum(split.counts)))  # the last batch is padded to a whole one
    sizes = {transform.size for _, transform in networks}
    # A single view of a single size is cut while decoding; else whole images are read.
    whole = view_count > 1 or len(sizes) > 1
    size = info.image_size if whole else sizes.pop()

    @tf.function(reduce_retracing=True, autograph=False)
    def probabilities(images: tf.Tensor) -> tf.Tensor:
        each = [
            mean_probabilities(model, transform, images, views(info.image_size, side, view_count))
            for model, transform in networks
            for side in [transform.size]
        ]
        return tf.stack(each)

    batches = reader.evaluation_batches(split, size, share)
    total = split.batches(share)
    with contextlib.closing(ShardVerifier(split)) as verifier, _enough_memory(), reading(split):
        shown = tqdm(batches.take(total), total=total, unit="batch", leave=False, disable=None)
        for batch in shown:
            real = batch["weight"].numpy() > 0  # the last batch is padded
            yield Predictions(
                batch["label"].numpy()[real], probabilities(batch["image"]).numpy()[:, real]
            )
        verifier.check()


@contextlib.contextmanager
def _enough_memory() -> Iterator[None]:
    """Within it, too little memory becomes a JobError."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise JobError(f"out of memory ({reason_of(error)}); try a smaller --batch-size") from error
