"""The configuration of a run: every setting, its type, its default and its source.

`files` reads and writes it as YAML. Its sections have files of their own, and are named here too.
"""

from __future__ import annotations

from pydantic import model_validator

from alexnet_tf.config.data import ColorNoise, DataConfig, HeldOut
from alexnet_tf.config.init_from import InitFromConfig
from alexnet_tf.config.numbers import EpochValues
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
from alexnet_tf.config.training import MonitoringConfig, StrategyConfig, TrainingConfig
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
