"""The paper's Figure 4: what the network predicts, and which images it finds alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from alexnet_tf.figures.page import BLUE, INK, RED, page, shortened

BARS = 5


@dataclass(frozen=True)
class ClassifiedImage:
    """An image, uint8 [h, w, 3], its class, and its most probable classes with probabilities."""

    image: np.ndarray
    true: str
    best: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Neighbors:
    """A query and the images whose features are nearest to its own, nearest first.

    `alike` says of each whether it is of the query's class.
    """

    query: np.ndarray
    true: str
    nearest: Sequence[np.ndarray]
    alike: Sequence[bool]


def figure_4(classified: Sequence[ClassifiedImage], neighbors: Sequence[Neighbors]) -> Figure:
    """Left: images with their five most probable classes, the true one red. Right: neighbors."""
    rows = -(-len(classified) // 4)
    nearest = len(neighbors[0].nearest)
    height = max(2.62 * rows, 1.06 * len(neighbors)) + 0.3
    figure = page(6.4 + 1.02 * (nearest + 1), height)
    figure.get_layout_engine().set(h_pad=0.02, hspace=0.0)
    left, right = figure.subfigures(1, 2, width_ratios=(6.4, 1.02 * (nearest + 1)), wspace=0.03)
    _predictions(left, classified, rows)
    _neighbors(right, neighbors)
    return figure


def _predictions(figure: SubFigure, classified: Sequence[ClassifiedImage], rows: int) -> None:
    figure.suptitle("The five most probable classes (red: the true one)", fontsize=10)
    grid = figure.subplots(2 * rows, 4, height_ratios=(1.6, 0.9) * rows, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for index, image in enumerate(classified):
        row, column = divmod(index, 4)
        above, below = grid[2 * row, column], grid[2 * row + 1, column]
        above.imshow(image.image)
        above.set_title(shortened(image.true, 22), fontsize=9, pad=3)
        _bars(below, image)


def _bars(axes: Axes, classified: ClassifiedImage) -> None:
    best = list(classified.best)[:BARS]
    colors = [RED if name == classified.true else BLUE for name, _ in best]
    places = range(len(best))
    axes.barh(places, [p for _, p in best], color=colors, alpha=0.55, height=0.82)
    for place, (name, _) in zip(places, best, strict=True):
        axes.text(0.02, place, shortened(name, 24), va="center", fontsize=7.5, color=INK)
    axes.set(xlim=(0, 1), ylim=(BARS - 0.4, -0.6))


def _neighbors(figure: SubFigure, neighbors: Sequence[Neighbors]) -> None:
    figure.suptitle("The nearest training images (framed: of another class)", fontsize=10)
    grid = figure.subplots(len(neighbors), len(neighbors[0].nearest) + 1, squeeze=False)
    for row, shown in zip(grid, neighbors, strict=True):
        row[0].set_ylabel(shortened(shown.true, 14), fontsize=8)
        for axes, image in zip(row, (shown.query, *shown.nearest), strict=True):
            axes.imshow(image)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, alike in zip(row[1:], shown.alike, strict=True):
            if not alike:
                axes.spines[:].set(visible=True, color=RED, linewidth=2)
    grid[0][0].set_title("query", fontsize=8, pad=3)
