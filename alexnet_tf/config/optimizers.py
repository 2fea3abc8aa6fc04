"""Settings of every optimizer. What each computes says its docstring."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alexnet_tf.config.numbers import Every
from alexnet_tf.network.naming import rate_key
from alexnet_tf.network.operations import Positive, Settings


class _Decay(Settings):
    """λ of weight decay; every optimizer says where it stands in its update."""

    weight_decay: float = Field(0.0005, ge=0, le=1e6)  # λ of all weights
    decay_biases: bool = False  # whether it is that of the biases, too
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
    name: Literal["momentum"] = "momentum"  # of the update
    momentum: float = Field(0.9, ge=0, lt=1)  # of the velocity, what is kept at every step


class SgdwConfig(_Decay):
    """w ← w − weight_decay·ε·w; v ← momentum·v − ε·∂L/∂w; w ← w + v (arXiv:1711.05101).

    Decay beside the velocity instead of inside it, and times the rate ε, as Keras has it.
    """

    slots: ClassVar[int] = 1
    name: Literal["sgdw"] = "sgdw"  # of the update
    momentum: float = Field(0.9, ge=0, lt=1)  # of the velocity, what is kept at every step


class LambConfig(_Decay):
    """LAMB, for large batches (arXiv:1904.00962): u = m̂/(√v̂ + epsilon); w ← w − ε·(‖w‖/‖u‖)·u.

    m̂ and v̂ are Adam's bias-corrected moments; the norms are those of one variable (of one tower's
    kernel, or bias). `decay` says where it stands. decoupled: w ← w − weight_decay·ε·w before the
    rest (Keras); in-ratio: u ← u + weight_decay·w before the norms (the paper; TensorFlow Addons).
    """

    name: Literal["lamb"] = "lamb"  # of the update
    beta_1: float = Field(0.9, ge=0, le=0.99999)  # of the first moment, what is kept
    beta_2: float = Field(0.999, ge=0, le=0.99999)  # of the second moment
    epsilon: Positive = 1e-6  # beside the root of the second moment
    # Before the rest (Keras), or within the norms (the paper; TensorFlow Addons).
    decay: Literal["decoupled", "in-ratio"] = "decoupled"


class LookaheadConfig(_Decay):
    """`momentum`, and after every `sync_period` updates of a weight (arXiv:1907.08610)
    slow ← slow + slow_step_size·(w − slow); w ← slow.
    """

    name: Literal["lookahead"] = "lookahead"  # of the update
    momentum: float = Field(0.9, ge=0, lt=1)  # of the velocity, what is kept at every step
    sync_period: Every = 6  # updates
    slow_step_size: float = Field(0.5, gt=1e-12, le=1)  # of the way, what the slow weights go


class MovingAverageConfig(_Decay):
    """`momentum`, and beside it a ← average_decay·a + (1 − average_decay)·w after every update; a
    is w after a weight's first. Training goes on from w; validated, evaluated and exported is a.
    """

    name: Literal["moving-average"] = "moving-average"  # of the update
    momentum: float = Field(0.9, ge=0, lt=1)  # of the velocity, what is kept at every step
    average_decay: float = Field(0.999, ge=0, le=0.999999)  # of the average, what is kept


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
