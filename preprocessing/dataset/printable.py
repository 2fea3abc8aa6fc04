"""Text from elsewhere, made fit for a line on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """One line that moves no cursor: control characters, line ends, halves of characters as \\x…"""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def counted(count: int, noun: str) -> str:
    """ "1 view", "10 views"; of nouns whose plural ends in s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
