"""Epochs along the bottom: whole numbers, and points where a line alone would not show."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

FEW = 3  # epochs below which each is a point


def mark_epochs(axes: Axes, count: int) -> None:
    """Labels the axis of so many epochs, counted from 1; of one alone, it stands in the middle."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if count < FEW:
        axes.set_xlim(0.5, max(count, 1) + 0.5)


def marker(values: Sequence[float | None]) -> str | None:
    """Of a line through values by epoch: a point each, where single ones would not show."""
    return "o" if len(values) < FEW or any(value is None for value in values) else None
