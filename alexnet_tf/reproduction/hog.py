"""Histograms of oriented gradients of a split's images: what vision rested on before 2012."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from alexnet_tf.data import reader
from alexnet_tf.data.split import Share, Split
from alexnet_tf.data.verification import compare_all, reading

BATCH = 128
ORIENTATIONS, BLOCK = 9, 2  # Dalal & Triggs 2005, §6.2-6.4: unsigned gradients, blocks of 2×2 cells


@dataclass(frozen=True)
class Features:
    """Of n images in stored order: values, float32 [n, numbers]; labels, int32 [n]."""

    values: np.ndarray
    labels: np.ndarray


def hog_features(split: Split, cell: int) -> Features:
    """Of every image of a split, once.

    As N. Dalal and B. Triggs, "Histograms of Oriented Gradients for Human Detection" (CVPR 2005)
    found best: of each pixel the color channel with the largest gradient, 9 unsigned orientations,
    blocks of 2×2 cells overlapping by one, each clipped and normalized (L2-Hys). scikit-image's
    form votes for the nearest cell and orientation alone. Numbers: (side/cell − 1)² · 36.

    Args: cell, the side of a cell in pixels; theirs has 8.
    Raises DatasetError, JobError: the split's files are not as described, or cannot be read.
    """
    from skimage.feature import hog  # an extra: see `svm`

    compare_all(split)
    values, labels = [], []
    share = Share(BATCH)
    with reading(split):
        batches = reader.evaluation_batches(split, split.info.image_size, share)
        total = split.batches(share)
        for batch in tqdm(
            batches.take(total),
            f"HOG, {split.name}",
            total,
            leave=False,
            unit="batch",
            disable=None,
        ):
            real = batch["weight"].numpy() > 0  # the last batch is padded
            labels.append(batch["label"].numpy()[real])
            for image in batch["image"].numpy()[real]:
                of_image = hog(
                    image, ORIENTATIONS, (cell, cell), (BLOCK, BLOCK), "L2-Hys", channel_axis=-1
                )
                values.append(of_image.astype(np.float32))
    return Features(np.stack(values), np.concatenate(labels))
