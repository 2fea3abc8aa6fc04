"""Parts of a web page that is whole in one file: no script, and nothing that is loaded.

Every function takes plain text, from wherever it comes, and returns HTML.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Collection, Sequence
from string import Template

from PIL import Image

from preprocessing.dataset.printable import printable

# The policy forbids a browser what the page does not have: scripts, and loading anything.
_PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: #fff; color: #222;
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.5rem 0; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 0.5rem; border-bottom: 1px solid #ddd; }
.summary { font-size: 1.05rem; color: #555; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 1rem 0.25rem 0; }
th, td { border-bottom: 1px solid #eee; overflow-wrap: normal; }
th, .number { white-space: nowrap; }
.number { text-align: right; }
figure { margin: 0.75rem 0; }
img { display: block; max-width: 100%; height: auto; }
figcaption, .note { color: #555; font-size: 0.9rem; }
pre { background: #f6f6f6; padding: 0.75rem; overflow-x: auto; font-size: 0.82rem; }
summary { cursor: pointer; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  section, figure, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
  img { max-height: 22cm; }
  img { min-width: 0 !important; width: auto; }
  details::details-content { content-visibility: visible; block-size: auto; }
  pre { white-space: pre-wrap; }
}
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p class="summary">$summary</p>
$sections
</main>
</body>
</html>
""")


def document(title: str, summary: str, sections: Sequence[str]) -> str:
    """The page; `sections` as `section` makes them."""
    return _PAGE.substitute(
        title=_text(title), summary=_text(summary), sections="\n".join(sections)
    )


def section(title: str, *parts: str) -> str:
    """Parts, made by the functions below, under a heading."""
    return "\n".join(("<section>", f"<h2>{_text(title)}</h2>", *parts, "</section>"))


def note(text: str) -> str:
    """A paragraph in small print."""
    return f'<p class="note">{_text(text)}</p>'


def picture(png: bytes, meaning: str, wide: bool = False) -> str:
    """A PNG file, within the page, in its own size where there is room for it.

    Args:
        meaning: for those who cannot see it.
        wide: on a narrow screen it can be moved sideways, and does not become too small to read.
    """
    with Image.open(io.BytesIO(png)) as image:
        width, height = image.size
    data = base64.b64encode(png).decode("ascii")
    attributes = f'width="{width}" height="{height}"'
    if wide:
        attributes += f' style="min-width: min({width}px, 44rem)"'
    source = f'src="data:image/png;base64,{data}"'
    image = f'<img alt="{_text(meaning)}" {attributes} {source}>'
    return f'<figure class="scroll">{image}</figure>'


def table(
    head: Sequence[str], rows: Sequence[Sequence[object]], numbers: Collection[int] = ()
) -> str:
    """A table; `numbers` are the columns, from 0, that are set to the right."""

    def line(cells: Sequence[object], tag: str) -> str:
        kinds = [' class="number"' if i in numbers else "" for i in range(len(cells))]
        pairs = zip(cells, kinds, strict=True)
        return "<tr>" + "".join(f"<{tag}{k}>{_text(str(c))}</{tag}>" for c, k in pairs) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    top = f"<thead>{line(head, 'th')}</thead>\n" if any(head) else ""
    return f'<div class="scroll"><table>\n{top}<tbody>\n{body}\n</tbody>\n</table></div>'


def listing(text: str) -> str:
    """Lines as they are: a file, commands."""
    return "<pre>" + "\n".join(_text(line) for line in text.splitlines()) + "</pre>"


def folded(title: str, *parts: str) -> str:
    """Parts that show once the title is chosen."""
    return "\n".join((f"<details><summary>{_text(title)}</summary>", *parts, "</details>"))


def _text(text: str) -> str:
    """Text that means nothing to a browser, and that any encoding can hold."""
    return html.escape(printable(text))
