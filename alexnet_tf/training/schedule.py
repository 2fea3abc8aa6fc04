"""Learning rates: from the configured schedule, the epoch and the validation errors so far.

Everything here is plain Python; the only state is that of `plateau`, which checkpoints carry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from alexnet_tf.config.schedules import Biases, Curve
from alexnet_tf.config.schema import (
    BatchRule,
    Config,
    Cosine,
    EpochValues,
    Exp,
    JDExp,
    Linear,
    Piecewise,
    Plateau,
    ScheduleConfig,
)
from alexnet_tf.network.naming import rate_key


def at(values: EpochValues | None, epoch: int) -> float | None:
    """The last value begun at `epoch`; None before the first."""
    latest = None
    for start, value in values or ():
        if start <= epoch:
            latest = value
    return latest


@dataclass
class PlateauState:
    """How the validation error has fared: the best so far, epochs since, drops made."""

    best: float = math.inf
    waited: int = 0
    drops: int = 0

    def observe(self, schedule: ScheduleConfig, error: float) -> bool:
        """Takes an epoch's validation top-1 error; True if the rate drops now."""
        if not isinstance(schedule, Plateau):
            return False
        if error < self.best - schedule.min_improvement:
            self.best, self.waited = error, 0
            return False
        self.waited += 1
        if self.waited < schedule.patience or self.drops >= schedule.drops:
            return False
        self.waited, self.drops = 0, self.drops + 1
        return True


def dexp(rate: float, target_factor: float, steps: int, progress: float) -> float:
    """src/lr.cu: step i of n equal ones has rate · target_factor^(−i/(n−1)); progress in [0, 1].

    At the very moment of a step, progress = i/n, the older rate still holds (lr.cu:146).
    """
    return rate * target_factor ** (-_step(steps, progress) / (steps - 1))


def jdexp(rate: float, target_factor: float, steps: int, progress: float) -> float:
    """src/lr.cu: `dexp`, half a step back in the second half of a step in the run's middle."""
    step = _step(steps, progress)
    if step and 0.2 < progress < 0.9 and progress > (step + 0.5) / steps:
        step -= 0.5
    return rate * target_factor ** (-step / (steps - 1))


def _step(steps: int, progress: float) -> int:
    return sum(progress > i / steps for i in range(1, steps))


def linear(rate: float, target_factor: float, progress: float) -> float:
    """src/lr.cu: a straight line from `rate` to rate/target_factor; progress in [0, 1]."""
    return rate * (1.0 - progress) + rate / target_factor * progress


def exp(rate: float, target_factor: float, progress: float) -> float:
    """src/lr.cu: rate · target_factor^−progress; progress in [0, 1]."""
    return rate * target_factor**-progress


def base_rate(
    schedule: ScheduleConfig, state: PlateauState, epoch: int, fraction: float, epochs: int
) -> float:
    """The weights' rate at `fraction` in [0, 1) of `epoch` (from 0) in a run of `epochs`."""
    now = epoch + fraction
    match schedule:
        case Piecewise():
            return at(schedule.rate, epoch)
        case Plateau():
            return schedule.rate * schedule.factor**state.drops
        case Curve():
            return _curve(schedule, schedule, now / epochs)
        case Cosine():
            if now < schedule.warmup_epochs:
                return schedule.rate * now / schedule.warmup_epochs
            progress = (now - schedule.warmup_epochs) / max(epochs - schedule.warmup_epochs, 1e-9)
            return schedule.rate * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
    raise TypeError(f"expected a schedule, received {schedule!r}")


def _curve(schedule: Curve, values: Curve | Biases, progress: float) -> float:
    """The rate of a schedule's kind with these values: its own, or the biases'."""
    match schedule:
        case Linear():
            return linear(values.rate, values.target_factor, progress)
        case Exp():
            return exp(values.rate, values.target_factor, progress)
        case JDExp() if values is schedule:
            return jdexp(values.rate, values.target_factor, values.steps, progress)
    return dexp(values.rate, values.target_factor, values.steps, progress)


def batch_factor(rule: BatchRule, batch: int, now: float) -> float:
    """By what a rule multiplies rates after `now` epochs with global batches of `batch`."""
    if rule.name == "none":
        return 1.0
    factor = (batch / rule.reference) ** (1.0 if rule.name == "linear" else 0.5)
    if factor > 1.0 and now < rule.warmup_epochs:
        return 1.0 + (factor - 1.0) * now / rule.warmup_epochs
    return factor


class Schedule:
    """The rates of a run's weights, and its color noise, at any moment."""

    def __init__(self, config: Config):
        self.config = config
        self.plateau = PlateauState()

    def rate(self, layer: str, kind: str, epoch: int, fraction: float) -> float:
        """The rate of a layer's "kernel" or "bias"; 0 means frozen."""
        if layer in self.config.init_from.frozen:
            return 0.0
        batch = self.config.training.global_batch_size
        factor = batch_factor(self.config.schedule.batch_rule, batch, epoch + fraction)
        return factor * self._scheduled(layer, kind, epoch, fraction)

    def _scheduled(self, layer: str, kind: str, epoch: int, fraction: float) -> float:
        schedule = self.config.schedule
        for key in (rate_key(layer, kind), layer):
            layer_rate = at(schedule.layer_rates.get(key), epoch)
            if layer_rate is not None:
                return layer_rate
        bias = at(schedule.bias_rate, epoch) if kind == "bias" else None
        if bias is not None:
            return bias
        epochs = self.config.training.epochs
        if kind == "bias" and isinstance(schedule, Curve) and schedule.biases:
            return _curve(schedule, schedule.biases, (epoch + fraction) / epochs)
        return base_rate(schedule, self.plateau, epoch, fraction, epochs)

    def noise_coefficient(self, epoch: int) -> float:
        """Of color noise, during `epoch`."""
        coefficient = self.config.data.color_noise.coefficient
        return at(coefficient, epoch) if isinstance(coefficient, tuple) else coefficient
