"""A claim's plot: errors over the epochs, and the compared arms' figures beside the published."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from alexnet_tf.figures.epoch_axis import mark_epochs, marker
from alexnet_tf.figures.page import BLUE, GREY, INK, ORANGE, RED, page
from alexnet_tf.reproduction import towers_plot, trend_plot, words
from alexnet_tf.reproduction.claim_parts import EPOCHS
from alexnet_tf.reproduction.result import Result

COLORS = (BLUE, RED, ORANGE, "#59a14f", "#8f6bb3", "#767676", "#b07aa1", "#9c755f")


def plot(result: Result) -> Figure:
    """Two panels beside one another; to be made within `figures.page.style`."""
    figure = page(9, 3.8)
    course, arms = figure.subplots(1, 2, width_ratios=(3, 2))
    colors = {arm: COLORS[i % len(COLORS)] for i, arm in enumerate(result.arms)}
    _course(course, result, colors)
    if result.measure.name == EPOCHS:
        course.axhline(result.measure.below, color=GREY, linewidth=0.8, linestyle=":")
    if result.every_run:
        towers_plot.draw(arms, result, colors)
    elif result.trend:
        trend_plot.draw(arms, result, colors)
    else:
        _arms(arms, result, colors)
    figure.suptitle(f"{result.claim}, scale {result.scale}: {result.verdict}", fontsize=11)
    return figure


def _course(axes: Axes, result: Result, colors: dict[str, str]) -> None:
    """The mean over the seeds, a thin line for each; of a trend, over the share of the training,
    as its arms may be trained for epochs of different numbers or lengths."""
    for name, arm in result.arms.items():
        if not arm.epochs and result.trend:  # a baseline, which has its place in the other panel
            continue
        if not arm.epochs:  # a baseline, or an ensemble
            axes.axhline(words.mean(arm), color=colors[name], linestyle="-.", label=f"{name}, test")
            continue
        epochs = np.arange(1, arm.epochs + 1) / (arm.epochs if result.trend else 1)
        for errors, dashes, split in _lines(result, name):
            look = {"color": colors[name], "linestyle": dashes}
            look |= {"marker": marker(errors[0]), "markersize": 3}
            for row in errors if len(errors) > 1 else ():
                axes.plot(epochs, row, linewidth=0.5, alpha=0.4, **look)
            label = f"{name}, {split}"
            axes.plot(epochs, np.mean(errors, axis=0), linewidth=1.6, label=label, **look)
    axes.set(ylabel="top-1 error", ylim=(0, None))
    if result.trend:
        axes.set_xlabel("share of the training")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    else:
        mark_epochs(axes, max(arm.epochs for arm in result.arms.values()))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="y", color="#eeeeee")
    axes.set_axisbelow(True)
    axes.legend(fontsize=7)


def _lines(result: Result, name: str) -> list[tuple]:
    """Of an arm: errors of each seed, the kind of line, and of which pictures."""
    arm = result.arms[name]
    if result.measure.name == EPOCHS:  # as in the paper's figure 1: the faster one solid
        return [(arm.training_error, "-" if name == result.compared[0] else "--", "training")]
    return [(arm.training_error, "--", "training"), (arm.validation_error, "-", "test")]


def _arms(axes: Axes, result: Result, colors: dict[str, str]) -> None:
    """A dot for each seed, a line for their mean, a diamond for the published figure."""
    rows = list(result.arms.items())
    for place, (name, arm) in enumerate(rows):
        numbers = [number for number in arm.by_seed if number is not None]
        axes.plot(numbers, [place] * len(numbers), "o", color=colors[name], alpha=0.6, markersize=5)
        if (mean := words.mean(arm)) is not None:
            axes.plot([mean, mean], [place - 0.2, place + 0.2], color=colors[name], linewidth=2)
            axes.text(mean, place - 0.25, words.figure(result, mean), ha="center", color=INK)
        if name in result.published.arms:
            there = result.published.arms[name]
            axes.plot(there, place, "D", color="white", markeredgecolor=INK, markersize=6)
    if result.published.arms:
        axes.plot([], [], "D", color="white", markeredgecolor=INK, label="published")
        axes.legend(fontsize=7, loc="lower right")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set(ylim=(len(rows) - 0.4, -0.6))
    if result.measure.name == EPOCHS:
        axes.set_xlabel("epochs")
    else:
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
        axes.xaxis.set_major_locator(MaxNLocator(4))  # labels beside one another
        axes.set_xlabel(result.measure.name)
    axes.margins(x=0.15)
    axes.tick_params(axis="y", length=0)
    axes.set_title(words.effect_with_interval(result), fontsize=9)
