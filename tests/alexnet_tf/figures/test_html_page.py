"""The page read back by another parser: well-formed, whole in itself, and texts only texts."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from alexnet_tf.figures import html_page
from preprocessing.dataset.printable import printable
from tests.parsed_page import ParsedPage


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (1, 2, 3)).save(file, "PNG")
    return file.getvalue()


def whole(text: str) -> str:
    """A page that has the text in every place where one can be."""
    parts = [
        html_page.note(text),
        html_page.table((text, text), [(text, 3)], numbers=(1,)),
        html_page.folded(text, html_page.listing(text)),
        html_page.picture(png(3, 2), text),
        html_page.picture(png(4, 5), text, wide=True),
    ]
    return html_page.document(text, text, [html_page.section(text, *parts)])


def test_every_part_is_there_and_whole():
    page = ParsedPage(whole("words"))
    assert page.expect_self_contained() == [(3, 2), (4, 5)]
    assert page.texts["title"] == page.texts["h1"] == page.texts["h2"] == ["words"]
    assert page.texts["p"] == ["words"] * 2
    assert page.texts["th"] == ["words"] * 2
    assert page.texts["td"] == ["words", "3"]
    assert page.texts["summary"] == page.texts["pre"] == ["words"]


HOSTILE = [
    "<script>alert(1)</script>",
    "</title></style><img src=x onerror=alert(1)>",
    '" onload="alert(1)',
    "' onload='alert(1)",
    "&lt;script&gt; &amp; &#60;",
    "<!-- ",
    "]]>",
    "$title ${sections} $$",
    "{0} %s",
    "größe 犬",
    "\udc80\x00\x1b[31m",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_stay_texts(text):
    page = whole(text)
    page.encode()  # halves of characters cannot be written
    parsed = ParsedPage(page)
    assert len(parsed.expect_self_contained()) == 2
    shown = printable(text)
    for tag in ("title", "h1", "h2", "summary", "pre"):
        assert parsed.texts[tag] == [shown]
    assert parsed.texts["td"] == [shown, "3"]


@given(st.text())
def test_any_text_can_stand_on_it(text):
    parsed = ParsedPage(html_page.document(text, text, [html_page.note(text)]))
    assert parsed.texts["h1"] == [printable(text)]
    assert parsed.texts["p"] == [printable(text)] * 2
    assert parsed.expect_self_contained() == []


def test_a_listing_keeps_its_lines():
    parsed = ParsedPage(html_page.document("", "", [html_page.listing("a: <1>\n  b: 2\n")]))
    assert parsed.texts["pre"] == ["a: <1>\n  b: 2"]


def test_what_is_no_image_is_none():
    with pytest.raises(OSError, match="cannot identify"):
        html_page.picture(b"<svg/>", "")
