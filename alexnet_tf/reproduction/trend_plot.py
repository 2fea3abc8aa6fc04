"""A trend: the arms' errors over what they have of a factor, and the fitted line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from alexnet_tf.figures.page import INK, PALE
from alexnet_tf.reproduction import words
from alexnet_tf.reproduction.result import Result
from alexnet_tf.reproduction.slope import weights_of


def draw(axes: Axes, result: Result, colors: dict[str, str]) -> None:
    """A dot for each seed, a ring for an arm's mean; through them the line, and in grey the lines
    of its interval's slopes, which turn about the middle of all arms. Of a trend of differences
    the arms' line and, dashed, that of those they differ from."""
    trend = result.trend
    places = np.array(trend.places)
    for arms, dashes in ((trend.arms, "-"), (trend.others, "--")):
        if arms:
            _line(axes, result, places, [result.arms[arm].by_seed for arm in arms], dashes)
    for arm in (*trend.arms, *trend.others):
        place = places[(trend.arms if arm in trend.arms else trend.others).index(arm)]
        numbers = result.arms[arm].by_seed
        axes.plot([place] * len(numbers), numbers, "o", color=colors[arm], alpha=0.6, markersize=5)
        axes.annotate(
            words.figure(result, words.mean(result.arms[arm])),
            (place, words.mean(result.arms[arm])),
            (8, 4),
            textcoords="offset points",
        )
    if not trend.others:
        _fan(axes, result, places)
    axes.set_xticks(places, [f"{trend.at[arm]:g}" for arm in trend.arms])
    axes.set_xlabel(f"{trend.factor}{', logarithmic' if trend.per == 'doubling' else ''}")
    axes.set_ylabel(result.measure.name)
    axes.yaxis.set_major_formatter(PercentFormatter(1))  # as many decimals as tell ticks apart
    axes.margins(0.2)
    axes.grid(axis="y", color="#eeeeee")
    axes.set_axisbelow(True)
    of = "difference: " if trend.others else ""
    axes.set_title(f"{of}{words.effect_with_interval(result)}", fontsize=9, loc="right")


def _line(
    axes: Axes, result: Result, places: np.ndarray, by_seed: Sequence[Sequence[float]], dashes: str
) -> None:
    means = np.array([np.mean(numbers) for numbers in by_seed])
    ends = np.array([places.min(), places.max()])
    fitted = means.mean() + weights_of(places) @ means * (ends - places.mean())
    axes.plot(places, means, "o", markersize=9, markerfacecolor="none", color=INK, linewidth=0)
    axes.plot(ends, fitted, color=INK, linewidth=1.2, linestyle=dashes, zorder=1)


def _fan(axes: Axes, result: Result, places: np.ndarray) -> None:
    if None in (result.low, result.high):
        return
    middle = np.mean([words.mean(result.arms[arm]) for arm in result.trend.arms])
    ends = np.array([places.min(), places.max()])
    reach = ends - places.mean()
    low, high = (middle + slope * reach for slope in (result.low, result.high))
    axes.fill_between(ends, low, high, color=PALE, zorder=0)
