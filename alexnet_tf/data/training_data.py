"""What a training reads epoch by epoch: the training split, or that without what is held out."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass

import tensorflow as tf

from alexnet_tf.config.schema import Config, DataConfig, HeldOut, Plateau
from alexnet_tf.data import reader
from alexnet_tf.data.cache import cached
from alexnet_tf.data.split import Share, Split
from alexnet_tf.errors import ConfigError
from preprocessing.dataset.info import DatasetInfo


@dataclass(frozen=True)
class TrainingData:
    """A dataset's training split, all of it or its `first` part, and its validation split, if any.

    Raises ConfigError where `held_out` leaves nothing to train on, or nothing out.
    """

    train: Split
    validation: Split | None = None
    held_out: HeldOut | None = None

    def __post_init__(self):
        total = sum(self.train.counts)
        if self.held_out is not None and not 0 < self.trained_at_first < total:
            raise ConfigError(
                f"data.held_out.fraction: expected at least one of the {total} training images to"
                f" be held out and one not to be, received {self.held_out.fraction}"
            )

    @property
    def trained_at_first(self) -> int:
        """Images that are trained on from the first epoch on."""
        total = sum(self.train.counts)
        return self.held_out.left(total) if self.held_out else total

    @property
    def at_first(self) -> Split:
        """What is trained on from the first epoch on."""
        return dataclasses.replace(self.train, part=(0, self.trained_at_first))

    @property
    def left_out(self) -> Split:
        """What is not. Only where something is held out."""
        total = sum(self.train.counts)
        return dataclasses.replace(self.train, part=(self.trained_at_first, total))

    def holds_out(self, epoch: int) -> bool:
        """Whether a part of the training split is not trained on in `epoch` (from 0)."""
        if self.held_out is None:
            return False
        return self.held_out.until_epoch is None or epoch < self.held_out.until_epoch

    def trained_on(self, epoch: int) -> Split:
        """What `epoch` trains on."""
        return self.at_first if self.holds_out(epoch) else self.train

    def validated_on(self, epoch: int) -> Split | None:
        """What the network is measured on after `epoch`."""
        return self.left_out if self.holds_out(epoch) else self.validation

    def measure_changes_after(self, epoch: int) -> bool:
        """Whether a later epoch is validated on other images than `epoch`."""
        return self.holds_out(epoch) and self.held_out.until_epoch is not None

    def batches(
        self,
        config: DataConfig,
        input_size: int,
        share: Share,
        seed: int,
        start: tuple[int, int] = (0, 0),
    ) -> tf.data.Dataset:
        """As `reader.training_batches`, over the epoch from which on there is more to read."""
        settings = (config, input_size, share, seed)
        stream = reader.training_batches(self.trained_on(start[0]), *settings, start)
        until = self.held_out.until_epoch if self.held_out else None
        if until is None or not self.holds_out(start[0]):
            return stream
        batches = (until - start[0]) * self.at_first.batches(share) - start[1]
        later = reader.training_batches(self.train, *settings, (until, 0))
        return stream.take(batches * share.replicas).concatenate(later)


def training_data(directory: str | os.PathLike, info: DatasetInfo, config: Config) -> TrainingData:
    """A dataset's, as the configuration reads it: a share of it, cached, a part held out.

    Raises ConfigError: the schedule follows a validation error, and nothing is there to measure it
    on; DatasetError: no training split, or a split without examples.
    """
    settings = config.data
    info.num_examples("train")  # raises where there is no such split
    validated = "validation" in info.splits
    if not validated and not settings.held_out and isinstance(config.schedule, Plateau):
        raise ConfigError(
            "schedule.name: plateau expects a validation split, whose error it follows;"
            f" received a dataset of {', '.join(info.splits)} alone. Choose"
            " schedule.name=piecewise, or data.held_out.fraction=0.1, or convert the dataset"
            " with a validation split"
        )
    splits = [Split(directory, info, "train").expect_examples().first(settings.fraction)]
    if validated:
        splits.append(Split(directory, info, "validation").expect_examples())
    splits = [cached(split, settings.cache) for split in splits]
    return TrainingData(*splits, held_out=settings.held_out)
