"""Counts of a network's errors, from which a report is made, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from alexnet_tf.evaluation.metrics import Result, top_k_error

BINS = 15  # of equal width, over the highest probability
TINY = 1e-37  # a probability below float32's normal numbers


@dataclass(frozen=True)
class ClassErrors:
    """One class: its label, its images, its errors, and what it is most often taken for."""

    label: int
    examples: int
    top1_error: float
    top5_error: float
    mistaken_for: int | None  # None if it never is
    mistaken: int


class ErrorCounts:
    """Errors, log-loss, confusion and calibration over images of `classes` classes."""

    def __init__(self, classes: int):
        self.loss = 0.0
        self.images = np.zeros(classes, np.int64)  # by class
        self.errors = np.zeros((2, classes))  # top-1, top-5; ties share the credit
        self.confusion = np.zeros((classes, classes), np.int64)  # [true, most probable]
        # Of each bin: images, how many were right, and the sum of their highest probabilities.
        self.bins = np.zeros((BINS, 3))
        self._wrong: list[np.ndarray] = []

    def add(self, labels: np.ndarray, probabilities: np.ndarray) -> None:
        """Args: labels int [n]; probabilities float32 [n, classes], each row adding up to 1."""
        if not len(labels):
            return
        rows = np.arange(len(labels))
        self.loss -= float(np.log(np.maximum(probabilities[rows, labels], TINY)).sum())
        wrong = [top_k_error(tf.constant(probabilities), labels, k).numpy() for k in (1, 5)]
        self._wrong.append(np.stack(wrong) > 0)
        for sums, errors in zip(self.errors, wrong, strict=True):
            np.add.at(sums, labels, errors)
        np.add.at(self.images, labels, 1)
        np.add.at(self.confusion, (labels, probabilities.argmax(axis=1)), 1)
        highest = probabilities.max(axis=1)
        columns = np.stack([np.ones(len(labels)), 1 - wrong[0], highest], axis=1)
        np.add.at(self.bins, np.minimum((highest * BINS).astype(int), BINS - 1), columns)

    @property
    def result(self) -> Result:
        """Raises ValueError where nothing was counted."""
        return Result.from_sums([self.loss, *self.errors.sum(axis=1), self.images.sum()])

    @property
    def wrong(self) -> np.ndarray:
        """bool [2, images]: of each image, in their order, whether top-1 and top-5 are wrong.

        Where scores tie, an answer that is right by chance alone is wrong here.
        """
        return np.concatenate([np.zeros((2, 0), bool), *self._wrong], axis=1)

    @property
    def calibration_error(self) -> float:
        """Σ (images of a bin / all) · |share right − mean probability| (Guo et al. 2017, §2)."""
        _, right, probability = self.bins.T
        return float(np.abs(right - probability).sum() / self.bins[:, 0].sum())

    def per_class(self) -> list[ClassErrors]:
        """The classes that have images, by label."""
        rows = []
        for label in np.flatnonzero(self.images):
            count = int(self.images[label])
            others = self.confusion[label].copy()
            others[label] = 0
            most, mistaken = int(others.argmax()), int(others.max())
            top1, top5 = (float(e) for e in self.errors[:, label] / count)
            taken = most if mistaken else None
            rows.append(ClassErrors(int(label), count, top1, top5, taken, mistaken))
        return rows

    def worst_classes(self, count: int) -> list[ClassErrors]:
        """By top-1 error, then top-5 error, the highest first."""
        return sorted(self.per_class(), key=lambda c: (-c.top1_error, -c.top5_error))[:count]
