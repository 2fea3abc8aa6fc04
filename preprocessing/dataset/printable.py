"""Text from elsewhere, made fit for a line on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """One line that moves no cursor: control characters, line ends, halves of characters as \\x…"""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
