"""The error on the validation split during a training, on all of its devices and workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from alexnet_tf.data import reader
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.data.split import Share, Split
from alexnet_tf.data.views import mean_probabilities, views
from alexnet_tf.evaluation.metrics import COLUMNS, Result, per_example


class Validation:
    """Evaluates the center view of a split, every image exactly once.

    Args:
        share: what this worker reads of each global batch; it is split over the local replicas.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        model: keras.Model,
        transform: InputTransform,
        split: Split,
        share: Share,
    ):
        self.strategy, self.model, self.transform = strategy, model, transform
        self.split, self.share = split, share
        self._step = tf.function(self._global_step, autograph=False)

    def run(self, stopping: Callable[[], bool] = lambda: False) -> Result | None:
        """One pass over the split; None if `stopping`, asked after every batch, ended it."""

        def make(_context: tf.distribute.InputContext) -> tf.data.Dataset:
            return reader.evaluation_batches(self.split, self.transform.size, self.share)

        iterator = iter(self.strategy.distribute_datasets_from_function(make))
        total = np.zeros(len(COLUMNS))
        for _ in range(self.split.batches(self.share)):
            total += self._step(iterator).numpy()
            if stopping():
                return None
        return Result.from_sums(total)

    def _global_step(self, iterator: Iterator[dict]) -> tf.Tensor:
        sums = self.strategy.run(self._replica, args=(iterator.get_next(),))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)

    def _replica(self, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        center = views(self.split.info.image_size, self.transform.size, 1)
        mean = mean_probabilities(self.model, self.transform, batch["image"], center)
        true = tf.gather(mean, batch["label"], axis=1, batch_dims=1)
        losses = -tf.math.log(tf.maximum(true, 1e-37))
        return tf.reduce_sum(per_example(losses, mean, batch), axis=0)
