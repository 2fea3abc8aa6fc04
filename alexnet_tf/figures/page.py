"""Figures with axes and text, drawn by matplotlib without its global state.

matplotlib: 75 MB installed and 0.5 s to import, and only when a figure is drawn; in return it has
axes, ticks, fonts and layout that we would otherwise write.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from preprocessing.dataset.atomic import replacing

DPI = 110
INK, GREY, PALE = "#222222", "#777777", "#e6e6e6"
BLUE, RED, ORANGE = "#4c78a8", "#d1495b", "#e8963e"

_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
}


def style() -> AbstractContextManager:
    """A context in which figures are to be made and drawn."""
    return mpl.rc_context(_STYLE)


def page(width: float, height: float) -> Figure:
    """An empty figure; sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def pixels(figure: Figure) -> np.ndarray:
    """uint8 [h, w, 3], RGB."""
    with _quiet():
        figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def save(figure: Figure, path: Path) -> None:
    """A PNG, under a temporary name first. Raises OSError."""
    with replacing(path) as file, _quiet():
        figure.savefig(file, format="png", metadata={"Software": None})


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Letters that the font lacks are drawn as boxes; matplotlib would tell of each, every time."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        yield


def save_pixels(pixels: np.ndarray, path: Path) -> None:
    """uint8 [h, w, 3] as a PNG, under a temporary name first. Raises OSError."""
    with replacing(path) as file:
        Image.fromarray(pixels).save(file, "PNG", optimize=True)


def shortened(name: str, length: int) -> str:
    """A class's first name (synonyms follow commas), cut to `length` characters, as matplotlib
    shows it: dollar signs are no formulas, and what cannot be shown is a question mark."""
    first = "".join(c if c.isprintable() else "?" for c in name.split(",")[0].strip())
    cut = first if len(first) <= length else first[: length - 1].rstrip() + "…"
    return cut.replace("$", r"\$")
