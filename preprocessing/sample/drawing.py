"""Images for trying things out: shapes and textures under as much variety as fits.

Every image shows one object of its class, at a random place, size and angle, in random colors,
lit from a random side and throwing a shadow, on a blurred background of gradients, scraps and
strokes, some of them before the object. Colors, backgrounds and sizes are drawn alike for all
classes, so that neither color nor any single pixel tells the class: only form does.
"""

import colorsys
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from preprocessing.sample.forms import SHAPES, TEXTURES

SHORT_SIDE = (160, 240)  # pixels; the long side is up to 1.5 times as long, at most 320
LONGEST_SIDE = 320
TEXTURES_FILL_IMAGE = 0.3  # share of texture images that have no outline
MIN_CONTRAST = 0.25  # of luminance (0..1) between what has to be told apart, also in grey images

Color = np.ndarray  # float32 [3], RGB, 0..1


def draw(name: str, rng: np.random.Generator) -> Image.Image:
    """One image of the class `name` (of `CLASSES`), mode RGB or L, all chances from `rng`."""
    width, height = _size(rng)
    paper = _color(rng)
    scene = _background(width, height, paper, rng)
    u, v, pixel = _object_plane(width, height, rng)
    ink = _contrasting(paper, rng)
    if name in SHAPES:
        mask = _coverage(SHAPES[name](u, v, rng), pixel)
        colors = np.broadcast_to(ink, (height, width, 3))
    else:
        pattern = _coverage(TEXTURES[name](u, v, rng), pixel)[..., None]
        colors = ink * pattern + _contrasting(ink, rng) * (1 - pattern)
        filled = rng.random() < TEXTURES_FILL_IMAGE
        mask = (
            np.ones((height, width), np.float32)
            if filled
            else _coverage(_outline(u, v, rng), pixel)
        )
    light = (1 + rng.normal(0, 0.09) * u + rng.normal(0, 0.09) * v)[..., None]
    scene = _cast_shadow(scene, mask, rng)
    scene += (colors * light - scene) * mask[..., None]
    return _photograph(scene, rng)


def _size(rng: np.random.Generator) -> tuple[int, int]:
    short = int(rng.integers(*SHORT_SIDE, endpoint=True))
    long = min(round(short * rng.uniform(1, 1.5)), LONGEST_SIDE)
    return (long, short) if rng.random() < 0.7 else (short, long)


def _object_plane(
    width: int, height: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Coordinates (u, v) of every pixel, and the size of a pixel in their unit."""
    side = min(width, height)
    radius = side * rng.uniform(0.3, 0.45)
    room = side / 2 - 0.85 * radius  # the object may stick out of the central square a little
    x0, y0 = width / 2 + rng.uniform(-room, room), height / 2 + rng.uniform(-room, room)
    angle = rng.uniform(0, math.tau)
    x = (np.arange(width, dtype=np.float32) + 0.5 - x0)[None, :] / radius
    y = (np.arange(height, dtype=np.float32) + 0.5 - y0)[:, None] / radius
    cos, sin = math.cos(angle), math.sin(angle)
    return cos * x + sin * y, cos * y - sin * x, 1 / radius


def _coverage(distance: np.ndarray, pixel: float) -> np.ndarray:
    """Signed distance -> share of each pixel that is covered, 0..1."""
    return np.clip(0.5 - distance / pixel, 0, 1)


def _outline(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An irregular patch, round or angular, that resembles none of the shapes."""
    angle = np.arctan2(v, u)
    reach = 1 + sum(
        size * np.sin(lobes * angle + rng.uniform(0, math.tau))
        for lobes, size in ((2, 0.16), (3, 0.1), (5, 0.05))
    )
    return np.hypot(u, v) - reach


def _color(rng: np.random.Generator) -> Color:
    hue, saturation, value = rng.random(), rng.uniform(0.15, 0.85), rng.uniform(0.2, 0.97)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value), np.float32)


def _contrasting(other: Color, rng: np.random.Generator) -> Color:
    luminance = np.array([0.299, 0.587, 0.114], np.float32)
    while True:
        color = _color(rng)
        if abs(luminance @ color - luminance @ other) >= MIN_CONTRAST:
            return color


def _background(width: int, height: int, paper: Color, rng: np.random.Generator) -> np.ndarray:
    """float [height, width, 3], 0..1: a cloudy gradient around `paper` with things on it."""
    cells = int(rng.integers(2, 6))
    clouds = paper + rng.normal(0, rng.uniform(0.02, 0.09), (cells, cells, 3))
    clouds = Image.fromarray((np.clip(clouds, 0, 1) * 255).astype(np.uint8))
    image = clouds.resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    side = min(width, height)
    for _ in range(rng.integers(2, 14)):
        near = np.clip(paper + rng.normal(0, 0.13, 3), 0, 1)
        color = tuple(int(255 * channel) for channel in near)
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        if rng.random() < 0.5:  # a stroke
            dx, dy = rng.normal(0, side / 3, 2)
            pen.line((x, y, x + dx, y + dy), color, int(rng.integers(1, 8)))
        else:  # a scrap
            angles = np.sort(rng.uniform(0, math.tau, rng.integers(4, 8)))
            reach = side * rng.uniform(0.04, 0.16, len(angles))
            corners = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], 1)
            pen.polygon([tuple(corner) for corner in corners], color)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2.5)))
    return np.asarray(image, np.float32) / 255


def _cast_shadow(scene: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shadow = Image.fromarray((mask * 255).astype(np.uint8))
    shadow = shadow.filter(ImageFilter.GaussianBlur(rng.uniform(2, 6)))
    shifted = Image.new("L", shadow.size)
    shifted.paste(shadow, tuple(int(step) for step in rng.integers(-7, 8, 2)))
    darkness = np.asarray(shifted, np.float32) * (rng.uniform(0.1, 0.4) / 255)
    return scene * (1 - darkness)[..., None]


def _photograph(scene: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """Strokes before the object, vignette, noise, now and then out of focus or without color."""
    height, width = scene.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    scene *= (1 - rng.uniform(0, 0.2) * (x**2 + y**2))[..., None]
    noise = rng.standard_normal((height, width), np.float32)
    scene += (rng.uniform(0.005, 0.03) * noise)[..., None]
    image = Image.fromarray((np.clip(scene, 0, 1) * 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 3)):
        color = tuple(int(255 * channel) for channel in _color(rng))
        start, end = rng.uniform(0, 1, (2, 2)) * (width, height)
        pen.line((*start, *end), color, int(rng.integers(1, 4)))
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.2)))
    if rng.random() < 0.05:
        image = image.convert("L")
    return image
