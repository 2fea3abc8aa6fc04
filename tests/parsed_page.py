"""A web page taken apart by the standard library, for tests of what is on it."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser

from PIL import Image

VOID = {"meta", "img", "br", "hr", "link", "input"}  # elements that are not closed
LOADING = {"src", "href", "srcset", "data", "action", "poster", "background", "srcdoc"}


class ParsedPage(HTMLParser):
    """Reads a page; an AssertionError where an element is not closed in its turn.

    tags: the names of all elements. texts: what stands in them, by tag, in order. loaded: all
    attributes that make a browser load something. handlers: those that run a script.
    """

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.texts: dict[str, list[str]] = {}
        self.loaded: list[str] = []
        self.handlers: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name in LOADING:
                self.loaded.append(value)
            if name.startswith("on"):
                self.handlers.append(name)
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]][-1] += data

    def expect_self_contained(self) -> list[tuple[int, int]]:
        """Asserts that it runs and loads nothing. Returns the sizes of its images, decoded."""
        assert self.handlers == []
        assert not self.tags & {"script", "iframe", "object", "embed", "link", "base"}
        [style] = self.texts["style"]
        assert "url(" not in style
        assert "@import" not in style
        sizes = []
        for source in self.loaded:
            head, _, data = source.partition(",")
            assert head == "data:image/png;base64"
            with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as image:
                image.load()
                sizes.append(image.size)
        return sizes
