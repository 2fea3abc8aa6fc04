"""Two towers' colors, run by run: the less colored tower along, the more colored one up."""

from __future__ import annotations

from matplotlib.axes import Axes

from alexnet_tf.figures.page import GREY
from alexnet_tf.reproduction import words
from alexnet_tf.reproduction.result import Result


def draw(axes: Axes, result: Result, colors: dict[str, str]) -> None:
    """A dot for each run, full where chance hardly divides its kernels so, in the arm's color or
    grey. On the diagonal both towers are colored alike; a grey tower beside a colored one is at the
    top left."""
    claimed = result.every_run
    own = result.arms[claimed.arm].identity
    for run in result.runs:
        color = colors[claimed.arm] if run.identity == own else GREY
        face = color if run.chance <= claimed.chance else "none"
        axes.plot(*sorted(run.color), "o", color=color, markerfacecolor=face, markersize=6)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    for label, color in ((claimed.arm, colors[claimed.arm]), ("trained alike", GREY)):
        axes.plot([], [], "o", color=color, label=label)
    axes.plot([], [], "o", color=GREY, markerfacecolor="none", label="as by chance")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_xlabel("color of the one tower's kernels")
    axes.set_ylabel("of the other's")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(fontsize=7, loc="lower right")
    axes.set_title(words.effect_with_interval(result), fontsize=9)
