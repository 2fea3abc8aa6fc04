"""A font that has a name's characters.

Pillow's own has the Latin ones; DejaVu Sans, which comes with Matplotlib, also Greek, Cyrillic,
Arabic, Hebrew and more. For others, such as Chinese, the fonts of the system are looked through.
"""

from __future__ import annotations

import functools
from pathlib import Path

import matplotlib
from matplotlib import font_manager, ft2font
from PIL import ImageFont

_DEJAVU = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")
_LAST_RESORT = "Last Resort"  # has a box for each script, and no letters


def font_of(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font of this size, in pixels, with all of the name's characters where there is one."""
    needed = frozenset(map(ord, name)) - set(range(32))
    return _font(_path(needed), size)


@functools.lru_cache
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


@functools.lru_cache
def _path(needed: frozenset[int]) -> str:
    """The font with most of the characters; DejaVu if it has all of them, or nobody has more."""
    best, missing = _DEJAVU, len(needed - _characters(_DEJAVU))
    if missing:
        entries = font_manager.fontManager.ttflist
        for path in sorted({e.fname for e in entries if _LAST_RESORT not in e.name}):
            lacked = len(needed - _characters(path))
            if lacked < missing:
                best, missing = path, lacked
    return best


@functools.cache
def _characters(path: str) -> frozenset[int]:
    try:
        return frozenset(ft2font.FT2Font(path).get_charmap())
    except (OSError, RuntimeError):  # a font that was removed, or that FreeType cannot read
        return frozenset()
