"""A dataset directory as a plain tf.data.Dataset, for programs of one's own."""

from __future__ import annotations

import os

import tensorflow as tf

from alexnet_tf.data import reader
from alexnet_tf.data.split import Share, Split
from preprocessing.dataset.info import read_info


def load_dataset(
    directory: str | os.PathLike, split: str = "train", *, batch_size: int | None = None
) -> tf.data.Dataset:
    """The images of a split, whole, in stored order (which the conversion drew at random).

    Each element is (image, label): uint8 [N, N, 3], RGB in grey levels 0…255, and int32 from 0 to
    classes − 1, or −1 where there is no label; with `batch_size` batches of them, the last of which
    may be smaller. Labels count the classes of `dataset_info.json` in its order.

    The records themselves are tf.train.Examples with `image/encoded`, `image/format`,
    `image/height`, `image/width`, `image/class/label`, `image/class/synset`, `image/class/text`
    and `image/filename` (BUILD.md: the dataset's format).

    Raises:
        DatasetError: no complete dataset, or no such split.
        ValueError: a batch size below 1.
    """
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"expected a batch size of at least 1. Received: batch_size={batch_size}")
    info = read_info(directory)
    count = info.num_examples(split)
    batches = reader.evaluation_batches(Split(directory, info, split), info.image_size, Share(16))
    images = batches.map(lambda batch: (batch["image"], batch["label"])).unbatch().take(count)
    images = images.apply(tf.data.experimental.assert_cardinality(count))
    return images if batch_size is None else images.batch(batch_size)
