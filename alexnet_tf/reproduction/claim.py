"""A claim of the paper or of the 2012 code, as data: configs/claims/NAME.yaml.

Adding a claim is adding a file, and nothing else. All of it, for two networks compared:

    statement: Norms across maps lower the test error.      # in our words
    source: 2012 paper, §3.3, last paragraph                # section, file of the 2012 code, page
    published: {arms: {with-norms: 0.11, without: 0.13}}    # errors as fractions; see Published
    note: Theirs differ in more than the norms.             # for the report; may be left out
    measure: {name: top-1 error, views: 10}                 # see Measure
    comparison: {kind: lower, arm: with-norms, than: without}   # see `comparison`
    differ_in: [network.lrn, network.layers]                # settings in which these arms differ
    seeds: 3                                                # 1, 2, 3
    arms:                                                   # what is trained
      with-norms: {config: ../cifar-11pct.yaml}             # as seen from the claim's file
      without:
        config: ../cifar-11pct.yaml
        overrides: [network.lrn=null, "network.layers.conv1.ops=[relu, pool]", …]
    scales:                                                 # the claim's own, and one for tries
      full: {data: cifar10, hours: 60}
      short: {data: cifar10, hours: 2, overrides: [training.epochs=20, …]}

`overrides` are those of `python -m alexnet_tf.train`. A scale's are laid under the arm's; what one
arm alone has at one scale is in the scale's `arms: {NAME: [overrides]}`. A scale may name the
`config` for all arms that name none. `data` is a name in `datasets.DATASETS`; `hours` are those of
all arms and seeds on `machine`. An arm may be something else than a network that is trained:
`{baseline: hog-linear-svm}` (see `baseline.BASELINES`; `fraction: 0.5` for a part of the training
pictures), or `{ensemble: ARM}`, the networks of all seeds of that arm averaged. Every network must
resolve at every scale, and the arms that are compared may differ in nothing but `differ_in`: what
cannot hold is refused when the file is read.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from alexnet_tf.network.operations import Settings
from alexnet_tf.reproduction.claim_parts import (
    COLOR,
    EPOCHS,
    ERRORS,
    SCALES,
    Arm,
    Measure,
    Published,
    Scale,
    ScaleName,
    Scales,
    Seeds,
    Text,
)
from alexnet_tf.reproduction.comparison import Comparison, EveryRun, Figure, Ratio, Trend

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]


class Claim(Settings):
    """`name` is that of the file; `claim_files.load` reads one."""

    name: Name
    statement: Text
    source: Text
    published: Published
    note: Text | None = None
    measure: Measure
    comparison: Comparison
    differ_in: tuple[str, ...] = ()
    seeds: Seeds
    arms: dict[Name, Arm] = Field(min_length=1)
    scales: Scales

    @property
    def compared(self) -> tuple[str, ...]:
        """The arms that the comparison is about."""
        if isinstance(self.comparison, Trend):
            return self.comparison.arms + self.comparison.others
        if isinstance(self.comparison, Figure | EveryRun):
            return (self.comparison.arm,)
        return self.comparison.arm, self.comparison.than

    @property
    def kind(self) -> str:
        return self.comparison.kind

    @property
    def networks(self) -> tuple[str, ...]:
        """The arms that are trained."""
        return tuple(name for name, arm in self.arms.items() if arm.is_network)

    def scale(self, name: ScaleName) -> Scale:
        return getattr(self.scales, name)

    def seeds_at(self, name: ScaleName) -> range:
        """The seeds of each arm."""
        return range(1, 1 + (self.scale(name).seeds or self.seeds))

    def views_of(self, arm: str) -> int:
        return self.arms[arm].views or self.measure.views

    @model_validator(mode="after")
    def _arms_are_there(self) -> Claim:
        named = {"comparison": self.compared, "published.arms": self.published.arms}
        for name in SCALES:
            named[f"scales.{name}.arms"] = self.scale(name).arms
        for place, arms in named.items():
            unknown = [arm for arm in arms if arm not in self.arms]
            if unknown:
                raise ValueError(
                    f"{place}: expected some of {', '.join(self.arms)}, received {unknown[0]!r}"
                )
        return self

    @model_validator(mode="after")
    def _epochs_are_a_ratio(self) -> Claim:
        if (self.measure.name == EPOCHS) != isinstance(self.comparison, Ratio):
            raise ValueError(f"comparison.kind: expected ratio with {EPOCHS!r} and nowhere else")
        return self

    @model_validator(mode="after")
    def _color_is_of_every_run(self) -> Claim:
        if (self.measure.name == COLOR) != isinstance(self.comparison, EveryRun):
            raise ValueError(f"comparison.kind: expected every-run with {COLOR!r} and nowhere else")
        return self

    @model_validator(mode="after")
    def _trends_are_of_errors(self) -> Claim:
        if isinstance(self.comparison, Trend) and self.measure.name not in ERRORS:
            raise ValueError(f"measure.name: expected {' or '.join(ERRORS)} with a trend")
        return self

    @model_validator(mode="after")
    def _others_can_be_measured(self) -> Claim:
        for name, arm in self.arms.items():
            if arm.ensemble is not None and arm.ensemble not in self.networks:
                trained = ", ".join(self.networks)
                raise ValueError(
                    f"arms.{name}.ensemble: expected one of {trained}, received"
                    f" {arm.ensemble!r:.100}"
                )
            if not arm.is_network and self.measure.name not in ERRORS:
                raise ValueError(f"arms.{name}: expected a measure of {' or '.join(ERRORS)}")
            if arm.baseline is not None and (self.measure.name, self.views_of(name)) != (
                ERRORS[0],
                1,
            ):
                raise ValueError(f"arms.{name}: expected {ERRORS[0]} in 1 view of a baseline")
        return self

    @model_validator(mode="after")
    def _figure_is_published(self) -> Claim:
        if isinstance(self.comparison, Figure) and self.comparison.arm not in self.published.arms:
            raise ValueError(f"published.arms: expected a figure of {self.comparison.arm}")
        if not (self.published.arms or self.published.words or self.published.effect is not None):
            raise ValueError("published: expected arms, an effect or words")
        return self
