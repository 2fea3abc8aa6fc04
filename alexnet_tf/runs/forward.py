"""The network in training, as a step calls it: pixels to what each tower sees, and to logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from alexnet_tf import step_context
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.network.towers import Placement
from alexnet_tf.step_context import DropoutRows
from alexnet_tf.training.step import Batch


@dataclass(frozen=True)
class Forward:
    """Both of its methods are traced in every replica's step.

    placement: of the towers on devices; None: they share one, and one input.
    """

    model: keras.Model
    transform: InputTransform
    towers: Sequence[str]
    global_batch_size: int
    placement: Placement | None

    def network_input(self, batch: Batch, noise: tf.Tensor) -> dict[str, tf.Tensor]:
        """What each tower sees; a split network's towers both make it, from the same bytes.

        noise: the coefficient of color noise. Float32 [b, S, S, 3], by tower.
        """
        if self.placement is None:
            return dict.fromkeys(self.towers, self.transform.training(batch, noise))
        copies = {}
        for tower in self.towers:
            with self.placement.operations(tower):
                copies[tower] = self.transform.training(batch, noise)
        return copies

    def logits(self, images: dict[str, tf.Tensor], seed: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Float32 [b, classes]; seed and rows: of dropout's masks, as in `DropoutRows`."""
        dropout = DropoutRows(seed, rows, self.global_batch_size)
        with step_context.using(dropout=dropout, tower_inputs=images):
            return self.model(next(iter(images.values())), training=True)
