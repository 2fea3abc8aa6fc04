"""What a claim says of its arms' measures, and what the effect is: the kinds of comparison."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from alexnet_tf.network.operations import Settings


class Lower(Settings):
    """`arm`'s measure is lower than `than`'s. The effect is the difference, arm − than."""

    kind: Literal["lower"]
    arm: str
    than: str


class Ratio(Settings):
    """`than`'s measure is over `at_least` times `arm`'s. The effect is the ratio, than ÷ arm."""

    kind: Literal["ratio"]
    arm: str
    than: str
    at_least: float = Field(1.0, ge=1)


class Figure(Settings):
    """`arm`'s measure reaches the published one: it is at most `within` above it. The effect is
    arm − published."""

    kind: Literal["figure"]
    arm: str
    within: float = Field(gt=0)


class Trend(Settings):
    """The more of `factor` an arm has, the lower its measure. The effect is the slope of a line.

    at: how much each arm has, {ARM: number}. per: of what the slope is one; a doubling (the line is
    over the factor's logarithm), or in a word the factor's own unit, such as `layer`. than: for
    each arm another one, {ARM: OTHER}; then the slope is that of the measures' differences.
    """

    kind: Literal["trend"]
    factor: Annotated[str, Field(min_length=1, max_length=60)]
    at: dict[str, Annotated[float, Field(gt=0, le=1e15)]]
    per: Annotated[str, Field(min_length=1, max_length=30)] = "doubling"
    than: dict[str, str] = Field({})

    @property
    def arms(self) -> tuple[str, ...]:
        """From the one with the least on."""
        return tuple(sorted(self.at, key=self.at.get))

    @property
    def others(self) -> tuple[str, ...]:
        """From which `arms` differ, in their order; none if their own measures are meant."""
        return tuple(self.than[arm] for arm in self.arms) if self.than else ()

    @property
    def places(self) -> tuple[float, ...]:
        """Of each of `arms`, in units of `per`."""
        given = [self.at[arm] for arm in self.arms]
        return tuple(math.log2(value) for value in given) if self.per == "doubling" else (*given,)

    @model_validator(mode="after")
    def _a_line(self) -> Trend:
        if len(set(self.at.values())) < 2:
            raise ValueError(f"at: expected two numbers or more, received {self.at!r:.100}")
        if self.than and self.than.keys() != self.at.keys():
            raise ValueError(f"than: expected {', '.join(self.arms)}, received {self.than!r:.100}")
        return self


class EveryRun(Settings):
    """In each run of `arm`, and of networks trained alike, the measure is more than chance makes
    it: as large in at most a share `chance` of random divisions of the kernels between the towers.
    The effect is the share of such runs; it is over `at_least`. Runs of one seed begin with the
    same kernels, so one counts. It can be verified, not refuted: of few kernels, and few runs,
    chance does as much as a division that is there.
    """

    kind: Literal["every-run"]
    arm: str
    at_least: float = Field(0.9, ge=0.5, lt=1)
    chance: float = Field(0.01, ge=1e-3, lt=0.5)


Comparison = Annotated[Lower | Ratio | Figure | Trend | EveryRun, Field(discriminator="kind")]
