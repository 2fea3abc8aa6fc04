"""Probabilities of a split's images, in stored order."""

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.config.schema import DataConfig
from alexnet_tf.data import reader
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.data.split import Split
from alexnet_tf.evaluation.predictions import predictions
from preprocessing.dataset.mean_image import read_mean_image
from tests import tiny_datasets

COUNT = 12


@pytest.mark.parametrize("batch_size", [1, 5, COUNT, 10**6])
def test_a_batch_is_no_larger_than_the_split(tmp_path, monkeypatch, batch_size):
    """A million images, most of them blank, would not fit into memory."""
    info = tiny_datasets.write(tmp_path, counts={"train": 4, "validation": COUNT}, size=16)
    split, sizes = Split(tmp_path, info, "validation"), []
    read = reader.evaluation_batches

    def observed(split, size, share):
        sizes.append(share.global_batch_size)
        return read(split, size, share)

    def model(images, training):
        grey = tf.reduce_mean(images, axis=(1, 2, 3))
        return tf.stack([grey, -grey], axis=1)

    monkeypatch.setattr(reader, "evaluation_batches", observed)
    transform = InputTransform(read_mean_image(tmp_path), info.color, DataConfig(), 16)
    found = list(predictions([(model, transform)], split, batch_size=batch_size))
    assert sizes == [min(batch_size, COUNT)]
    assert sum(len(part.labels) for part in found) == COUNT
    probabilities = np.concatenate([part.probabilities[0] for part in found])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
