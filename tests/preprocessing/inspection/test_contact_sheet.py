"""The contact sheet: every image at its place, names below, cut where they are too long."""

import io

import numpy as np
import pytest
from PIL import Image

from preprocessing.inspection import contact_sheet, fonts
from preprocessing.inspection.contact_sheet import TILE, draw_contact_sheet
from preprocessing.inspection.fonts import font_of

COLORS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (0, 200, 200)]


def sheet_of(count: int, names: list[str] | None = None, size: int = 32, **options) -> np.ndarray:
    images = [np.full((size, size, 3), color, np.uint8) for color in COLORS[:count]]
    data = draw_contact_sheet(images, names or ["name"] * count, **options)
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    return np.asarray(image)


@pytest.mark.parametrize("size", [32, 256])
def test_images_stand_row_by_row(size):
    sheet = sheet_of(5, size=size, columns=3)
    found = {}
    for color in COLORS:
        ys, xs = np.nonzero((sheet == color).all(axis=2))
        assert len(ys) == TILE * TILE
        assert (np.ptp(ys), np.ptp(xs)) == (TILE - 1, TILE - 1)
        found[color] = (ys[0], xs.min())
    rows = sorted({y for y, _ in found.values()})
    columns = sorted({x for _, x in found.values()})
    places = [(rows.index(found[color][0]), columns.index(found[color][1])) for color in COLORS]
    assert places == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]


def test_columns_default_to_a_square_sheet():
    height, width, _ = sheet_of(4).shape
    assert 0.8 < width / height < 1.2


def test_name_is_written_below_its_own_image_only():
    plain, named = sheet_of(2, ["", ""], columns=2), sheet_of(2, ["", "llama"], columns=2)
    ys, xs = np.nonzero((plain != named).any(axis=2))
    assert ys.min() > TILE
    assert xs.min() > TILE


def test_long_names_are_cut_and_short_ones_are_kept():
    font = font_of("zebra", 12)
    assert contact_sheet._fitting("zebra", font) == "zebra"
    assert contact_sheet._fitting("two\nlines", font) == "two lines"
    cut = contact_sheet._fitting("beach wagon, station wagon, wagon, estate car", font)
    assert cut.startswith("beach wagon, ")
    assert cut.endswith("…")
    assert font.getlength(cut) <= TILE
    assert font.getlength(contact_sheet._fitting("W" * 10_000, font)) <= TILE


def glyphs(name: str) -> np.ndarray:
    sheet = sheet_of(1, [name])
    return sheet[TILE + 8 :]


@pytest.mark.parametrize("names", ["Żółw/Zolw", "лев/лов", "λέων/λεων", "أسد/نمر", "狮子/老虎"])
def test_names_beyond_latin_are_drawn(names):
    """Other characters look otherwise: not all are drawn as the box of a missing one."""
    one, other = names.split("/")
    needed = set(map(ord, one + other))
    path = fonts._path(frozenset(needed))
    if not needed <= fonts._characters(path):
        pytest.skip("no font of this system has them")
    assert (glyphs(one) != glyphs(other)).any()
    assert (glyphs(one) != glyphs("")).any()


def test_dejavu_has_most_scripts():
    """Without the system's fonts."""
    for name in ("Fuß, naïve", "Żółw", "лев", "λέων", "أسد", "אריה"):
        assert fonts._path(frozenset(map(ord, name))) == fonts._DEJAVU
        assert set(map(ord, name)) <= fonts._characters(fonts._DEJAVU)


def test_nothing_stops_at_a_strange_name():
    assert sheet_of(3, ["\ud800 half", "🦁 \x1b[2J", "\U0010ffff"]).size
    assert (glyphs("\x1b[2Jx") == glyphs("\\x1b[2Jx")).all()


def test_no_images_or_other_names_are_refused():
    with pytest.raises(ValueError, match="0 images"):
        draw_contact_sheet([], [])
    with pytest.raises(ValueError, match="1 images, 2 names"):
        draw_contact_sheet([np.zeros((4, 4, 3), np.uint8)], ["a", "b"])
