"""The configuration of a run: every setting, its type, its default and its source.

`files` reads and writes it as YAML. Optimizers and schedules have files of their own, and are named
here too.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from alexnet_tf.config.numbers import Count, EpochValues, Every, GreyLevel, ascending, from_zero
from alexnet_tf.config.optimizers import (
    OPTIMIZERS,
    LambConfig,
    LookaheadConfig,
    MomentumConfig,
    MovingAverageConfig,
    OptimizerConfig,
    SgdwConfig,
)
from alexnet_tf.config.schedules import (
    SCHEDULES,
    BatchRule,
    Cosine,
    DExp,
    Exp,
    JDExp,
    Linear,
    Piecewise,
    Plateau,
    ScheduleConfig,
)
from alexnet_tf.errors import ConfigError
from alexnet_tf.network.naming import KINDS, rate_key
from alexnet_tf.network.operations import Settings
from alexnet_tf.network.structure import NetworkSpec

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "BatchRule",
    "ColorNoise",
    "Config",
    "Cosine",
    "DExp",
    "DataConfig",
    "EpochValues",
    "Exp",
    "HeldOut",
    "InitFromConfig",
    "JDExp",
    "LambConfig",
    "Linear",
    "LookaheadConfig",
    "MomentumConfig",
    "MonitoringConfig",
    "MovingAverageConfig",
    "OptimizerConfig",
    "Piecewise",
    "Plateau",
    "ScheduleConfig",
    "SgdwConfig",
    "StrategyConfig",
    "TrainingConfig",
]


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


class DataConfig(Settings):
    """Reading and augmentation of the training split."""

    # Along a side; null: all, S − input_size + 1 (2012: 33).
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


class TrainingConfig(Settings):
    epochs: Count = 90  # may be raised later: the run goes on
    global_batch_size: int = Field(128, ge=1, le=2**20)  # of all replicas together
    seed: int = Field(0, ge=0, lt=2**31)  # of initial weights, order, crops, noise and dropout
    # Each global batch is worked through in so many parts, one after the other: the same update in
    # less memory.
    accumulation_steps: Count = 1
    # mixed_float16 scales the loss, and skips a step whose gradients overflow.
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    # What XLA compiles: nothing; the chains of element-by-element operations, which then pass over
    # memory once; or all of a replica's step but the update (slower on CPUs; other dropout masks).
    jit_compile: Literal["none", "elementwise", "all"] = "elementwise"
    # Steps that run in one call from Python; it returns at every point where the loop has to act
    # (log, checkpoint, end of epoch), and a signal waits for its end.
    steps_per_execution: Count = 1
    # The same to the bit on the same kind of machine; slower on GPUs.
    deterministic: bool = False
    checkpoint_every_steps: Every | None = None  # besides the end of every epoch
    # The newest; besides, the one of the lowest validation error (top-1).
    keep_checkpoints: Count = 3
    log_every_steps: Every = 20  # on the terminal, in log.jsonl and TensorBoard
    diagnostics_every_steps: Every | None = 200  # dead ReLUs, update/weight ratios
    flat_loss_steps: Every | None = 500  # warns if the loss is still ln(classes) then


class StrategyConfig(Settings):
    """Where the replicas and the towers run."""

    # mirrored: a replica on each GPU (or pair); multi-worker: the same on every host of TF_CONFIG.
    name: Literal["one-device", "mirrored", "multi-worker"] = "one-device"
    # two-tower: each replica is a pair of GPUs, with a tower on either, as in 2012.
    placement: Literal["single", "two-tower"] = "single"


class MonitoringConfig(Settings):
    """What TensorBoard shows besides scalars. It changes nothing in the training itself.

    Images are looked at in the center view; each number bounds the cost of one look.
    """

    every_epochs: int = Field(1, ge=0, le=10**6)  # kernels, histograms, answers; 0: never
    samples: int = Field(16, ge=0, le=1024)  # augmented training images, at the first look only
    # Validation images for confusion matrix and worst classes.
    answers: int = Field(2000, ge=0, le=10**7)
    projector: int = Field(500, ge=0, le=5000)  # validation images in the projector, at the end
    # Steps that are profiled, from the tenth on; 0: none.
    profile_steps: int = Field(0, ge=0, le=1000)


class InitFromConfig(Settings):
    """Fine-tuning: weights to begin with instead of drawn ones. Read once, when a run begins.

    The network must be that of the weights but for its classes, dropout and initial values, and
    its mean (data.mean, data.mean_rgb) that of their images.
    """

    path: str | None = None  # a run directory, or a file of weights (.pth, .npz, .safetensors, .h5)
    format: Literal["torchvision", "caffe"] | None = None  # of a file
    # Whether the last layer is drawn anew. A file's classes have no names: they are others if they
    # are more or fewer.
    new_head: Literal["if-other-classes", "always", "never"] = "if-other-classes"
    frozen: tuple[str, ...] = ()  # layers that keep these weights: no update, no decay

    @model_validator(mode="after")
    def _of_something(self) -> InitFromConfig:
        if self.path is None and (self.format or self.frozen):
            raise ValueError("path: expected a run directory or a file beside the other settings")
        return self


class Config(Settings):
    """A whole run. `network` starts from its `variant` and may change any field of NetworkSpec."""

    network: NetworkSpec
    data: DataConfig = DataConfig()
    training: TrainingConfig = TrainingConfig()
    optimizer: OptimizerConfig = MomentumConfig()
    schedule: ScheduleConfig = Piecewise()
    strategy: StrategyConfig = StrategyConfig()
    monitoring: MonitoringConfig = MonitoringConfig()
    init_from: InitFromConfig = InitFromConfig()

    @model_validator(mode="after")
    def _known_layers(self) -> Config:
        names = [layer.name for layer in self.network.layers]
        known = {*names, *(rate_key(name, kind) for name in names for kind in KINDS)}
        for place, keys in (
            ("schedule.layer_rates", self.schedule.layer_rates),
            ("optimizer.layer_decays", self.optimizer.layer_decays),
        ):
            for key in keys:
                if key not in known:
                    raise ValueError(
                        f"{place}: expected one of {', '.join(names)}, or one with /kernel or"
                        f" /bias, received {key!r}"
                    )
        return self

    @model_validator(mode="after")
    def _known_frozen(self) -> Config:
        names, frozen = [layer.name for layer in self.network.layers], self.init_from.frozen
        if not set(frozen) < set(names):
            raise ValueError(
                f"init_from.frozen: expected some of {', '.join(names)}, not all of them, received"
                f" {', '.join(frozen)}"
            )
        return self

    @model_validator(mode="after")
    def _one_measure(self) -> Config:
        held_out = self.data.held_out
        if held_out and held_out.until_epoch and isinstance(self.schedule, Plateau):
            raise ValueError(
                "data.held_out.until_epoch: expected null beside schedule.name: plateau (which"
                f" follows the error on one set of images), received {held_out.until_epoch}"
            )
        return self

    @model_validator(mode="after")
    def _one_program(self) -> Config:
        if self.training.jit_compile == "all" and self.strategy.placement == "two-tower":
            raise ValueError(
                "training.jit_compile: expected elementwise or none beside strategy.placement:"
                " two-tower (a compiled program runs on one device), received all"
            )
        return self

    @model_validator(mode="after")
    def _equal_parts(self) -> Config:
        batch, parts = self.training.global_batch_size, self.training.accumulation_steps
        if batch % parts:
            raise ValueError(
                f"training.accumulation_steps: expected a divisor of the batch of {batch}, received"
                f" {parts}"
            )
        return self

    def with_classes(self, count: int) -> Config:
        """The configuration for a dataset of `count` classes. ConfigError if it says otherwise."""
        network = self.network
        if "num_classes" in network.model_fields_set and network.num_classes != count:
            raise ConfigError(
                f"network.num_classes: expected {count}, the dataset's classes, received"
                f" {network.num_classes}"
            )
        return self.model_copy(
            update={"network": network.model_copy(update={"num_classes": count})}
        )
