"""Settings of every schedule of learning rates."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from alexnet_tf.config.numbers import Count, EpochValues, Rate, Warmup, ascending, from_zero
from alexnet_tf.network.operations import Settings


class BatchRule(Settings):
    """What becomes of all rates when the batch is not the one they were chosen for.

    They are multiplied by k = global_batch_size / reference (linear: arXiv:1404.5997 §5 by
    experiment, arXiv:1706.02677) or √k (sqrt: arXiv:1404.5997 §5 by theory). A factor above 1 is
    grown into, linearly over the first `warmup_epochs`.
    """

    name: Literal["none", "linear", "sqrt"] = "none"  # the factor: 1, k or √k
    reference: int = Field(128, ge=1, le=2**20)  # the batch that the rates were chosen for
    warmup_epochs: Warmup = 5.0  # over which a factor above 1 is grown into


class _Rates(Settings):
    """What every schedule may set besides the weights' rate; the values replace that rate."""

    bias_rate: EpochValues | None = None  # 2012: 0.02 throughout; null: as the weights
    # Of "conv1" (weights and biases alike), or of "conv1/kernel" or "conv1/bias", which go before.
    # 0 freezes: no update, no decay, no coasting.
    layer_rates: dict[str, EpochValues] = Field(default_factory=dict)
    batch_rule: BatchRule = BatchRule()  # see below

    @field_validator("rate", "bias_rate", "layer_rates", check_fields=False)
    @classmethod
    def _by_epoch(cls, value: Any) -> Any:
        for values in value.values() if isinstance(value, dict) else [value]:
            if isinstance(values, tuple):
                ascending(values)
        return value


class Piecewise(_Rates):
    """Constant rates between given epochs, as the 2012 logs record them."""

    name: Literal["piecewise"] = "piecewise"  # of the schedule
    rate: EpochValues = ((0, 0.01),)  # from each epoch on, counted from 0

    @field_validator("rate")
    @classmethod
    def _begins(cls, value: EpochValues) -> EpochValues:
        return from_zero(value)


class Plateau(_Rates):
    """The paper's rule: ÷10 when the validation error stops improving, three times."""

    name: Literal["plateau"] = "plateau"  # of the schedule
    rate: Rate = 0.01  # at first
    factor: float = Field(0.1, ge=1e-6, lt=1)  # of the rate at each drop
    drops: int = Field(3, ge=0, le=100)  # at most
    patience: Count = 5  # epochs without a better top-1 error
    min_improvement: float = Field(0.0, ge=0, le=1)  # what counts as better, as a fraction


Factor = Annotated[float, Field(gt=1, le=1e12)]
Parts = Annotated[int, Field(ge=2, le=10**4)]


class Biases(Settings):
    """The biases' own values of `linear` and `exp`: from `rate` to rate/target_factor."""

    rate: Rate = 0.02  # at first
    target_factor: Factor = 10.0  # by which it is divided at the end


class BiasSteps(Biases):
    """The biases' own values of `dexp`; 2012's later nets had 0.02, ÷10, in two steps."""

    steps: Parts = 2  # of equal length


class Curve(_Rates):
    """A rate that falls over the run, from `rate` to rate/target_factor."""

    rate: Rate = 0.01  # at first
    target_factor: Factor = 1000.0  # by which it is divided at the end
    biases: Biases | None = None  # null: as the weights, unless bias_rate says otherwise

    @model_validator(mode="after")
    def _one_of_two(self) -> Curve:
        if self.biases is not None and self.bias_rate is not None:
            raise ValueError("expected biases or bias_rate, received both")
        return self


class Linear(Curve):
    """The 2012 code's `linear` (src/lr.cu): a straight line."""

    name: Literal["linear"] = "linear"  # of the schedule


class Exp(Curve):
    """The 2012 code's `exp` (src/lr.cu): by equal factors in equal times."""

    name: Literal["exp"] = "exp"  # of the schedule


class DExp(Curve):
    """The 2012 code's `dexp` (src/lr.cu): n equal steps from `rate` to rate/target_factor."""

    name: Literal["dexp"] = "dexp"  # of the schedule
    steps: Parts = 4  # of equal length
    biases: BiasSteps | None = None  # null: as the weights, unless bias_rate says otherwise


class JDExp(DExp):
    """The 2012 code's `jdexp` (src/lr.cu), of net 174: as `dexp`, but while 0.2 to 0.9 of the run
    are over, the second half of each step after the first has the geometric mean of its rate and
    the one before. The biases' own values are those of `dexp`.
    """

    name: Literal["jdexp"] = "jdexp"  # of the schedule


class Cosine(_Rates):
    """Half a cosine from `rate` to 0 over the run, after a linear warm-up."""

    name: Literal["cosine"] = "cosine"  # of the schedule
    rate: Rate = 0.01  # the highest
    warmup_epochs: Warmup = 0.0  # of linear growth from 0


SCHEDULES = {
    "piecewise": Piecewise,
    "plateau": Plateau,
    "linear": Linear,
    "exp": Exp,
    "dexp": DExp,
    "jdexp": JDExp,
    "cosine": Cosine,
}
ScheduleConfig = Annotated[
    Piecewise | Plateau | Linear | Exp | DExp | JDExp | Cosine, Field(discriminator="name")
]
