"""A run's course: loss, error and learning rate over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from alexnet_tf.figures.epoch_axis import mark_epochs, marker
from alexnet_tf.figures.page import BLUE, GREY, ORANGE, RED, page


@dataclass(frozen=True)
class Course:
    """Of each epoch done, from the first: fractions and nats; None where there was none."""

    train_loss: Sequence[float]
    train_top1: Sequence[float]
    validation_loss: Sequence[float | None]
    validation_top1: Sequence[float | None]
    validation_top5: Sequence[float | None]
    rate: Sequence[float | None]  # of the weights, at the epoch's end


def curves(course: Course, title: str) -> Figure:
    """Three panels above one another, epochs from 1."""
    figure = page(7, 6.4)
    loss, error, rate = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.2))
    epochs = range(1, len(course.train_loss) + 1)

    def draw(
        axes: Axes, values: Sequence[float | None], color: str, label: str, dashes: str = "-"
    ) -> None:
        if any(value is not None for value in values):
            seen = [float("nan") if value is None else value for value in values]
            look = {"linewidth": 1.8, "marker": marker(values), "markersize": 4}
            axes.plot(epochs, seen, dashes, color=color, label=label, **look)

    draw(loss, course.train_loss, BLUE, "training")
    draw(loss, course.validation_loss, RED, "validation")
    loss.set(ylabel="log-loss, nats", title=title)
    draw(error, course.train_top1, BLUE, "training, top-1")
    draw(error, course.validation_top1, RED, "validation, top-1")
    draw(error, course.validation_top5, ORANGE, "validation, top-5", "--")
    error.set(ylabel="error", ylim=(0, None))
    error.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    draw(rate, course.rate, GREY, "learning rate")
    rate.set(ylabel="learning rate")
    mark_epochs(rate, len(epochs))
    if any(value for value in course.rate):
        rate.set_yscale("log")
    for axes in (loss, error):
        axes.legend()
    for axes in (loss, error, rate):
        axes.grid(axis="y", color="#eeeeee")
        axes.set_axisbelow(True)
    return figure
