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

from typing import Annotated, Literal

from pydantic import Field, model_validator

from alexnet_tf.config.choices import VIEW_COUNTS
from alexnet_tf.network.operations import Settings
from alexnet_tf.reproduction.baseline import BASELINES
from alexnet_tf.reproduction.comparison import Comparison, EveryRun, Figure, Ratio, Trend
from alexnet_tf.reproduction.datasets import DATASETS

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Views = Literal[VIEW_COUNTS]
Seeds = Annotated[int, Field(ge=1, le=100)]
ERRORS = ("top-1 error", "top-5 error")  # counted picture by picture
EPOCHS = "epochs until training error"
COLOR = "difference in color"


class Measure(Settings):
    """What is compared.

    top-1 error, top-5 error: on the validation split, each picture in so many `views`.
    training error: top-1, over the last epoch's training pictures as the network saw them.
    epochs until training error: how many epochs until it is first below `below` (figure 1), with
    straight lines between the epochs' errors.
    difference in color: of two towers' first-layer kernels, as a share of their energy; see
    `kernel_color`.
    """

    name: Literal[
        "top-1 error",
        "top-5 error",
        "training error",
        "epochs until training error",
        "difference in color",
    ]
    views: Views = 1
    below: float | None = Field(None, gt=0, lt=1)

    @model_validator(mode="after")
    def _threshold(self) -> Measure:
        if (self.below is None) == (self.name == EPOCHS):
            raise ValueError(f"below: expected with {EPOCHS!r} and nowhere else")
        return self


class Published(Settings):
    """Figures as published: by arm, of the effect, or in words where there is no number.

    Errors and their differences are fractions (−0.014 for 1.4 points less).
    """

    arms: dict[str, float] = Field({})
    effect: float | None = None
    words: Text | None = None


class Arm(Settings):
    """A network that is trained, once for every seed; or a baseline, or an ensemble of networks.

    fraction: of the training pictures, that a baseline learns (a network has `data.fraction`).
    views: at which it is measured, where that is what the arms differ in. baseline: a name in
    `BASELINES`. ensemble: the arm whose networks, of all seeds, are averaged.
    """

    config: Text | None = None
    overrides: tuple[Text, ...] = ()
    views: Views | None = None
    baseline: str | None = None
    fraction: float | None = Field(None, ge=1e-6, le=1)
    ensemble: str | None = None

    @property
    def is_network(self) -> bool:
        return self.baseline is None and self.ensemble is None

    @property
    def part(self) -> float:
        """Of the training pictures, that a baseline learns."""
        return 1.0 if self.fraction is None else self.fraction

    @model_validator(mode="after")
    def _one_thing(self) -> Arm:
        if self.baseline is not None and self.baseline not in BASELINES:
            names = ", ".join(BASELINES)
            raise ValueError(f"baseline: expected one of {names}, received {self.baseline!r:.100}")
        if self.fraction is not None and self.baseline is None:
            raise ValueError("fraction: expected beside a baseline; a network has data.fraction")
        other = [self.baseline, self.ensemble, self.config or self.overrides or None]
        if len(other) - other.count(None) > 1:
            raise ValueError(
                "expected a network, a baseline or an ensemble, received more than one"
            )
        return self


class Scale(Settings):
    """How large the trial is. `hours` on `machine`, of all arms and seeds."""

    data: str
    config: Text | None = None
    overrides: tuple[Text, ...] = ()
    arms: dict[str, tuple[Text, ...]] = Field({})
    hours: float = Field(gt=0)
    machine: Text = "2 cores"
    seeds: Seeds | None = None  # others than the claim's

    @model_validator(mode="after")
    def _known_data(self) -> Scale:
        if self.data not in DATASETS:
            names = ", ".join(DATASETS)
            raise ValueError(f"data: expected one of {names}, received {self.data!r}")
        return self


class Scales(Settings):
    full: Scale
    short: Scale


ScaleName = Literal["full", "short"]
SCALES: tuple[ScaleName, ...] = ("full", "short")


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
