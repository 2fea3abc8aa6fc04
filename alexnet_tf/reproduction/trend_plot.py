"""A trend: the arms' errors over what they have of a factor, and the fitted line."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from alexnet_tf.figures.page import INK, PALE
from alexnet_tf.reproduction import words
from alexnet_tf.reproduction.result import Result


def draw(axes: Axes, result: Result, colors: dict[str, str]) -> None:
    """A dot for each seed, a ring for the arm's mean; the line, and in grey the lines of its
    interval's slopes, which turn about the middle of all arms."""
    trend = result.trend
    places = np.array(trend.places)
    means = np.array([words.mean(result.arms[arm]) for arm in trend.arms])
    for place, arm in zip(places, trend.arms, strict=True):
        numbers = result.arms[arm].by_seed
        axes.plot([place] * len(numbers), numbers, "o", color=colors[arm], alpha=0.6, markersize=5)
    axes.plot(places, means, "o", markersize=9, markerfacecolor="none", color=INK, linewidth=0)
    ends = np.array([places.min(), places.max()])
    reach = ends - places.mean()
    axes.plot(ends, means.mean() + result.effect * reach, color=INK, linewidth=1.2, zorder=1)
    if None not in (result.low, result.high):
        low, high = (means.mean() + slope * reach for slope in (result.low, result.high))
        axes.fill_between(ends, low, high, color=PALE, zorder=0)
    for place, mean in zip(places, means, strict=True):
        axes.annotate(words.figure(result, mean), (place, mean), (8, 4), textcoords="offset points")
    axes.set_xticks(places, [f"{trend.at[arm]:g}" for arm in trend.arms])
    axes.set_xlabel(f"{trend.factor}{', logarithmic' if trend.per == 'doubling' else ''}")
    axes.set_ylabel(result.measure.name)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.margins(0.2)
    axes.grid(axis="y", color="#eeeeee")
    axes.set_axisbelow(True)
    axes.set_title(words.effect_with_interval(result), fontsize=9)
