"""What networks answer, image by image: for reports and figures, on one device."""

from __future__ import annotations

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

Network = tuple[keras.Model, InputTransform]


@dataclass(frozen=True)
class Answers:
    """Some images' labels, int32 [n]; probabilities, float32 [networks, n, classes]."""

    labels: np.ndarray
    probabilities: np.ndarray


def answers(
    networks: Sequence[Network],
    split: Split,
    view_count: int = 1,
    batch_size: int = 64,
    *,
    limit: int | None = None,
    progress: bool = False,
) -> Iterator[Answers]:
    """Every image of a split once, in stored order, a batch at a time; at most `limit` of them.

    Softmax probabilities are averaged over the views (2012: src/worker.cu).
    """
    info, share = split.info, Share(batch_size)
    sizes = {transform.size for _, transform in networks}
    # A single view of a single size is cut while decoding; else whole images are read.
    whole = view_count > 1 or len(sizes) > 1
    size = info.image_size if whole else sizes.pop()

    @tf.function(reduce_retracing=True)
    def probabilities(images):
        each = [
            mean_probabilities(model, transform, images, views(info.image_size, side, view_count))
            for model, transform in networks
            for side in [transform.size]
        ]
        return tf.stack(each)

    left = info.num_examples(split.name) if limit is None else limit
    steps = min(split.batches(share), -(-left // batch_size))
    batches = reader.evaluation_batches(split, size, share).take(steps)
    shown = tqdm(batches, total=steps, unit="batch", leave=False, disable=None if progress else 1)
    for batch in shown:
        real = (batch["weight"].numpy() > 0) & (np.arange(len(batch["weight"])) < left)
        left -= int(real.sum())
        answer = probabilities(batch["image"]).numpy()
        yield Answers(batch["label"].numpy()[real], answer[:, real])
