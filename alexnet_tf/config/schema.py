"""The configuration of a run: every setting, its type, its default and its source.

`config_file` reads and writes it as YAML.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from alexnet_tf.errors import ConfigError
from alexnet_tf.network.naming import KINDS, rate_key
from alexnet_tf.network.structure import NetworkSpec, Positive, Settings

Count = Annotated[int, Field(ge=1, le=10**6)]  # of epochs, steps, examples, …
Every = Annotated[int, Field(ge=1, le=10**9)]  # so many steps
Warmup = Annotated[float, Field(ge=0, le=10**6)]  # epochs
GreyLevel = Annotated[float, Field(ge=0, le=255)]
Rate = Annotated[float, Field(gt=0, le=1e6)]
# Values by epoch: each holds from the start of its epoch on. Epochs count from 0 and ascend.
EpochValues = tuple[tuple[int, Annotated[float, Field(allow_inf_nan=True)]], ...]  # see _ascending


def _ascending(values: EpochValues) -> EpochValues:
    epochs = [epoch for epoch, _ in values]
    if epochs != sorted(set(epochs)) or any(not 0 <= epoch <= 10**6 for epoch in epochs):
        raise ValueError(f"expected ascending epochs from 0 to 1000000, received {epochs}")
    if not all(0 <= value <= 1e6 for _, value in values):
        raise ValueError("expected finite values from 0 to 1000000")
    return values


def _from_zero(values: EpochValues) -> EpochValues:
    if not values or values[0][0] != 0:
        raise ValueError("expected the first step at epoch 0")
    return values


class ColorNoise(Settings):
    """x ← x + coefficient·V(s∘n), n ~ N(0, I₃), one draw an image (paper §4.1).

    `divide` is 2012's additional ÷ (1 + coefficient); there, the noise ended at epoch 67:
    coefficient: [[0, 0.1], [67, 0]].
    """

    coefficient: Annotated[float, Field(ge=0, le=1e6)] | EpochValues = 0.1
    divide: bool = False

    @field_validator("coefficient")
    @classmethod
    def _by_epoch(cls, value: float | EpochValues) -> float | EpochValues:
        return _from_zero(_ascending(value)) if isinstance(value, tuple) else value


class DataConfig(Settings):
    """Reading and augmentation of the training split."""

    # A side; None: all, S − input_size + 1 (2012: 33).
    crop_positions: int | None = Field(None, ge=1, le=2**16)
    flip: bool = True
    chunk: Count = 1  # so many consecutive images share crop and flip (2012: 32)
    # center: the mean image's center, whatever the crop (2012); crop: the mean under the crop (the
    # paper's text); channel: three numbers; none.
    mean: Literal["center", "crop", "channel", "none"] = "center"
    # For mean: channel. None: the dataset's; imported weights bring their own.
    mean_rgb: tuple[GreyLevel, GreyLevel, GreyLevel] | None = None
    color_noise: ColorNoise = ColorNoise()
    order: Literal["shuffled", "fixed"] = "shuffled"  # fixed: 2012, no reshuffling between epochs
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
    epochs: Count = 90
    global_batch_size: int = Field(128, ge=1, le=2**20)
    seed: int = Field(0, ge=0, lt=2**31)
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
    deterministic: bool = False
    checkpoint_every_steps: Every | None = None  # besides the end of every epoch
    keep_checkpoints: Count = 3
    log_every_steps: Every = 20
    diagnostics_every_steps: Every | None = 200  # dead ReLUs, update/weight ratios
    flat_loss_steps: Every | None = 500  # warns if the loss is still ln(classes) then


class _Decay(Settings):
    """λ of weight decay; every optimizer says where it stands in its update."""

    weight_decay: float = Field(0.0005, ge=0, le=1e6)
    decay_biases: bool = False
    # λ of "conv1" (its weights, and its biases if biases decay), or of "conv1/kernel" or
    # "conv1/bias", which go before.
    layer_decays: dict[str, Annotated[float, Field(ge=0, le=1e6)]] = Field(default_factory=dict)

    def decay_of(self, layer: str, kind: str) -> float:
        """λ of a layer's "kernel" or "bias"."""
        exact = self.layer_decays.get(rate_key(layer, kind))
        if exact is not None:
            return exact
        if kind == "bias" and not self.decay_biases:
            return 0.0
        return self.layer_decays.get(layer, self.weight_decay)

    slots: ClassVar[int] = 2  # values kept beside each weight: velocities, moments, averages


class MomentumConfig(_Decay):
    """v ← momentum·v − weight_decay·ε·w − ε·∂L/∂w; w ← w + v (paper §5)."""

    slots: ClassVar[int] = 1
    name: Literal["momentum"] = "momentum"
    momentum: float = Field(0.9, ge=0, lt=1)


class SgdwConfig(_Decay):
    """w ← w − weight_decay·ε·w; v ← momentum·v − ε·∂L/∂w; w ← w + v (arXiv:1711.05101).

    Decay beside the velocity instead of inside it, and times the rate ε, as Keras has it.
    """

    slots: ClassVar[int] = 1
    name: Literal["sgdw"] = "sgdw"
    momentum: float = Field(0.9, ge=0, lt=1)


class LambConfig(_Decay):
    """LAMB, for large batches (arXiv:1904.00962): u = m̂/(√v̂ + epsilon); w ← w − ε·(‖w‖/‖u‖)·u.

    m̂ and v̂ are Adam's bias-corrected moments; the norms are those of one variable (of one tower's
    kernel, or bias). `decay` says where it stands. decoupled: w ← w − weight_decay·ε·w before the
    rest (Keras); in-ratio: u ← u + weight_decay·w before the norms (the paper; TensorFlow Addons).
    """

    name: Literal["lamb"] = "lamb"
    beta_1: float = Field(0.9, ge=0, le=0.99999)
    beta_2: float = Field(0.999, ge=0, le=0.99999)
    epsilon: Positive = 1e-6
    decay: Literal["decoupled", "in-ratio"] = "decoupled"


class LookaheadConfig(_Decay):
    """`momentum`, and after every `sync_period` updates of a weight (arXiv:1907.08610)
    slow ← slow + slow_step_size·(w − slow); w ← slow.
    """

    name: Literal["lookahead"] = "lookahead"
    momentum: float = Field(0.9, ge=0, lt=1)
    sync_period: Every = 6
    slow_step_size: float = Field(0.5, gt=1e-12, le=1)


class MovingAverageConfig(_Decay):
    """`momentum`, and beside it a ← average_decay·a + (1 − average_decay)·w after every update; a
    is w after a weight's first. Training goes on from w; validated, evaluated and exported is a.
    """

    name: Literal["moving-average"] = "moving-average"
    momentum: float = Field(0.9, ge=0, lt=1)
    average_decay: float = Field(0.999, ge=0, le=0.999999)


OPTIMIZERS = {
    "momentum": MomentumConfig,
    "sgdw": SgdwConfig,
    "lamb": LambConfig,
    "lookahead": LookaheadConfig,
    "moving-average": MovingAverageConfig,
}
OptimizerConfig = Annotated[
    MomentumConfig | SgdwConfig | LambConfig | LookaheadConfig | MovingAverageConfig,
    Field(discriminator="name"),
]


class BatchRule(Settings):
    """What becomes of all rates when the batch is not the one they were chosen for.

    They are multiplied by k = global_batch_size / reference (linear: arXiv:1404.5997 §5 by
    experiment, arXiv:1706.02677) or √k (sqrt: arXiv:1404.5997 §5 by theory). A factor above 1 is
    grown into, linearly over the first `warmup_epochs`.
    """

    name: Literal["none", "linear", "sqrt"] = "none"
    reference: int = Field(128, ge=1, le=2**20)
    warmup_epochs: Warmup = 5.0


class _Rates(Settings):
    """What every schedule may set besides the weights' rate; the values replace that rate."""

    bias_rate: EpochValues | None = None  # 2012: 0.02 throughout; None: as the weights
    # Of "conv1" (weights and biases alike), or of "conv1/kernel" or "conv1/bias", which go before.
    # 0 freezes: no update, no decay, no coasting.
    layer_rates: dict[str, EpochValues] = Field(default_factory=dict)
    batch_rule: BatchRule = BatchRule()

    @field_validator("rate", "bias_rate", "layer_rates", check_fields=False)
    @classmethod
    def _by_epoch(cls, value: Any) -> Any:
        for values in value.values() if isinstance(value, dict) else [value]:
            if isinstance(values, tuple):
                _ascending(values)
        return value


class Piecewise(_Rates):
    """Constant rates between given epochs, as the 2012 logs record them."""

    name: Literal["piecewise"] = "piecewise"
    rate: EpochValues = ((0, 0.01),)

    @field_validator("rate")
    @classmethod
    def _begins(cls, value: EpochValues) -> EpochValues:
        return _from_zero(value)


class Plateau(_Rates):
    """The paper's rule: ÷10 when the validation error stops improving, three times."""

    name: Literal["plateau"] = "plateau"
    rate: Rate = 0.01
    factor: float = Field(0.1, ge=1e-6, lt=1)
    drops: int = Field(3, ge=0, le=100)
    patience: Count = 5  # epochs without a better top-1 error
    min_improvement: float = Field(0.0, ge=0, le=1)


class DExp(_Rates):
    """The 2012 code's `dexp` (src/lr.cu): n equal steps from `rate` to rate/target_factor."""

    name: Literal["dexp"] = "dexp"
    rate: Rate = 0.01
    target_factor: float = Field(1000.0, gt=1, le=1e12)
    steps: int = Field(4, ge=2, le=10**4)


class Cosine(_Rates):
    """Half a cosine from `rate` to 0 over the run, after a linear warm-up."""

    name: Literal["cosine"] = "cosine"
    rate: Rate = 0.01
    warmup_epochs: Warmup = 0.0


SCHEDULES = {"piecewise": Piecewise, "plateau": Plateau, "dexp": DExp, "cosine": Cosine}
ScheduleConfig = Annotated[Piecewise | Plateau | DExp | Cosine, Field(discriminator="name")]


class StrategyConfig(Settings):
    """Where the replicas and the towers run."""

    name: Literal["one-device", "mirrored", "multi-worker"] = "one-device"
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

    path: str | None = None  # a run directory, or a file of weights (.npz, .safetensors, .h5)
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
