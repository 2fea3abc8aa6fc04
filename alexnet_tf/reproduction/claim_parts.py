"""What a claim consists of: its measure, what was published, its arms and its scales."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from alexnet_tf.config.choices import VIEW_COUNTS
from alexnet_tf.network.operations import Settings
from alexnet_tf.reproduction.baseline import BASELINES
from alexnet_tf.reproduction.datasets import DATASETS

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
