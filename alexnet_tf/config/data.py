"""Settings of how the training split is read and augmented."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from alexnet_tf.config.numbers import Count, EpochValues, GreyLevel, ascending, from_zero
from alexnet_tf.network.operations import Settings


class ColorNoise(Settings):
    """x ← x + coefficient·V(s∘n), n ~ N(0, I₃), one draw an image (paper §4.1).

    `divide` is 2012's additional ÷ (1 + coefficient); there, the noise ended after 66 epochs:
    coefficient: [[0, 0.1], [66, 0]].
    """

    # 0: none. A list has a value from each epoch on.
    coefficient: Annotated[float, Field(ge=0, le=1e6)] | EpochValues = 0.1
    divide: bool = False  # by 1 + coefficient

    @field_validator("coefficient")
    @classmethod
    def _by_epoch(cls, value: float | EpochValues) -> float | EpochValues:
        return from_zero(ascending(value)) if isinstance(value, tuple) else value


class HeldOut(Settings):
    """The last `fraction` of the training records, in stored order (drawn at conversion).

    Until `until_epoch` (from 0; null: never) they are not trained on: each epoch is validated on
    them, in place of the validation split. From then on they are trained on too, and the validation
    split has its turn. 2012's CIFAR-10 recipes did so with the fifth of their five files.
    """

    fraction: float = Field(0.2, ge=1e-6, lt=1)  # of the records that data.fraction leaves
    # It may be moved, by the same command with another epoch, as long as both lie ahead.
    until_epoch: Count | None = None

    def left(self, total: int) -> int:
        """Of so many records those that are not held out."""
        return total - round(self.fraction * total)


class DataConfig(Settings):
    """Reading and augmentation of the training split."""

    # Along a side, the middle ones; null: all, S − input_size + 1 (2012: 33).
    crop_positions: int | None = Field(None, ge=1, le=2**16)
    flip: bool = True  # half of the images are mirrored
    chunk: Count = 1  # so many consecutive images share crop and flip (2012: 32)
    # center: the mean image's center, whatever the crop (2012); crop: the mean under the crop (the
    # paper's text); channel: three numbers; none.
    mean: Literal["center", "crop", "channel", "none"] = "center"
    # For mean: channel. null: the dataset's; imported weights bring their own.
    mean_rgb: tuple[GreyLevel, GreyLevel, GreyLevel] | None = None
    color_noise: ColorNoise = ColorNoise()  # see below
    order: Literal["shuffled", "fixed"] = "shuffled"  # fixed: 2012, no reshuffling between epochs
    # Of the training split, the first records in stored order, which the conversion drew: a random
    # part, and within each larger one. The mean and the colors' statistics stay those of the whole.
    fraction: float = Field(1.0, ge=1e-6, le=1)
    held_out: HeldOut | None = None  # null: all is trained on from the start; else see below
    # Records, across shards read in a new order each epoch.
    shuffle_buffer: int = Field(8192, ge=1, le=2**24)
    # It changes no batch. memory: the records as they are encoded; pixels: decoded, so that small
    # networks need not wait; disk: copies in $ALEXNET_TF_CACHE, for slow storage.
    cache: Literal["memory", "pixels", "disk", "none"] = "none"

    @model_validator(mode="after")
    def _channel_mean(self) -> DataConfig:
        if self.mean_rgb is not None and self.mean != "channel":
            raise ValueError(
                f"mean_rgb: expected mean: channel beside it, received mean: {self.mean}"
            )
        return self
