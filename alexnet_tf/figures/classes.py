"""Errors class by class, and what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from alexnet_tf.figures.page import BLUE, GREY, INK, PALE, page, shortened

SHOWN = 40  # classes; of more, those with the highest error


def confusion_matrix(confusion: np.ndarray, names: Sequence[str]) -> Figure:
    """Rows: true classes, each adding up to 100 %; columns: the most probable class.

    Args: confusion int [c, c] (see evaluation.error_counts). Of many classes, the worst are shown.
    """
    counts = confusion.sum(axis=1)
    wrong = 1 - np.diag(confusion) / np.maximum(counts, 1)
    chosen = np.sort(np.argsort(-np.where(counts > 0, wrong, -1), kind="stable")[:SHOWN])
    part = confusion[np.ix_(chosen, chosen)] / np.maximum(counts[chosen], 1)[:, None]
    labels = [shortened(names[i], 18) for i in chosen]
    side = 2.6 + 0.26 * len(chosen)
    figure = page(side + 0.6, side)
    axes = figure.subplots()
    image = axes.imshow(part, cmap="Blues", vmin=0, vmax=1)
    if len(chosen) <= 20:
        for (y, x), share in np.ndenumerate(part):
            if share >= 0.005:
                color = "white" if share > 0.5 else INK
                axes.text(x, y, f"{share:.0%}", ha="center", va="center", color=color, fontsize=6)
    axes.set_xticks(range(len(chosen)), labels, rotation=90)
    axes.set_yticks(range(len(chosen)), labels)
    axes.set(xlabel="answered", ylabel="true class")
    of = f" (the {len(chosen)} worst of {len(names)} classes)" if len(chosen) < len(names) else ""
    axes.set_title(f"What is taken for what{of}")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.7, label="share of the true class's images")
    return figure


def class_errors(names: Sequence[str], top1: np.ndarray, top5: np.ndarray) -> Figure:
    """Bars of top-5 error, with top-1 error as a mark, the worst class first. Fractions [c]."""
    order = np.lexsort((-top1, -top5))[:SHOWN]
    figure = page(6.5, 1.2 + 0.22 * len(order))
    axes = figure.subplots()
    rows = np.arange(len(order))
    axes.barh(rows, top1[order], color=PALE, label="top-1 error", height=0.75)
    axes.barh(rows, top5[order], color=BLUE, label="top-5 error", height=0.75)
    for row, label in enumerate(order):
        x = max(top1[label], top5[label])
        text = f"  top-5 {top5[label]:.1%}, top-1 {top1[label]:.1%}"
        axes.text(x, row, text, va="center", color=GREY, fontsize=7)
    axes.set_yticks(rows, [shortened(names[i], 24) for i in order])
    axes.invert_yaxis()
    axes.set_xlim(0, max(0.05, float(top1[order].max()) * 1.3))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower right")
    of = f": the {len(order)} worst of {len(names)}" if len(order) < len(names) else ""
    axes.set_title(f"Error by class{of}")
    return figure
