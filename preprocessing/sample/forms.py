"""The drawn classes: six shapes and four textures, each a function of the object's plane.

The plane has the coordinates (u, v), turned and scaled so that the object's radius is 1. A form is
its signed distance in that unit, negative inside, which gives smooth edges.
"""

import math

import numpy as np


def _circle(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.hypot(u, v * rng.uniform(1, 1.2)) - 0.95


def _triangle(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    v = v * rng.uniform(0.9, 1.2)
    sides = [
        math.cos(a) * u + math.sin(a) * v for a in (math.pi / 2, math.pi * 7 / 6, math.pi * 11 / 6)
    ]
    return np.maximum.reduce(sides) - 0.58


def _star(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    points, inner = 5, rng.uniform(0.4, 0.5)
    radius, angle = np.hypot(u, v), np.arctan2(v, u)
    sector = math.pi / points
    angle = np.abs((angle + sector) % (2 * sector) - sector)  # folded onto half a point
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    # The edge runs from the tip (1.1, 0) to the notch at (inner, angle pi / points).
    dx, dy = inner * math.cos(sector) - 1.1, inner * math.sin(sector)
    return ((x - 1.1) * -dy + y * dx) / -math.hypot(dx, dy)


def _cross(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    width = rng.uniform(0.22, 0.34)
    u, v = np.abs(u), np.abs(v)
    return np.minimum(np.maximum(u - 1, v - width), np.maximum(u - width, v - 1))


def _ring(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    width = rng.uniform(0.12, 0.22)
    return np.abs(np.hypot(u, v * rng.uniform(1, 1.2)) - (1 - width)) - width


def _spiral(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    turns, hand = rng.uniform(2, 3), 1 if rng.random() < 0.5 else -1
    radius, angle = np.hypot(u, v), np.arctan2(v, u)
    across = (radius * turns + hand * angle / (math.tau)) % 1 - 0.5  # 0 along the arm
    return np.maximum((np.abs(across) - rng.uniform(0.2, 0.28)) / turns, radius - 1)


def _band(x: np.ndarray, period: float) -> np.ndarray:
    """Signed distance to bands half a period wide, square to x."""
    return (np.abs(x / period % 1 - 0.5) - 0.25) * period


def _stripes(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _band(u, rng.uniform(0.3, 0.55))


def _waves(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    bend = rng.uniform(0.12, 0.2) * np.sin(math.tau * v / rng.uniform(0.6, 0.9))
    return _band(u + bend, rng.uniform(0.3, 0.5))


def _checkerboard(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    period = rng.uniform(0.55, 0.9)
    a, b = _band(u, period), _band(v, period)
    return np.where(a * b < 0, -1, 1) * np.minimum(np.abs(a), np.abs(b))


def _dots(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    period = rng.uniform(0.4, 0.6)
    u, v = ((x / period % 1 - 0.5) * period for x in (u, v))
    return np.hypot(u, v) - period * rng.uniform(0.27, 0.34)


SHAPES = {
    "circle": _circle,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "ring": _ring,
    "spiral": _spiral,
}
TEXTURES = {
    "stripes": _stripes,
    "waves": _waves,
    "checkerboard": _checkerboard,
    "dots": _dots,
}
CLASSES = (*SHAPES, *TEXTURES)
