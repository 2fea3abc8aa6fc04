"""One line of an error that brings many."""

from __future__ import annotations

import re

import tensorflow as tf

_NODE = re.compile(r"\{\{(function_)?node [^}]*\}\}\s*")
_NOISE = ("Graph execution error", "Detected at", "File ", "<", "[[", "(")


def reason_of(error: OSError | tf.errors.OpError) -> str:
    """The line that matters."""
    if isinstance(error, OSError):
        return str(error)
    # TensorFlow puts the names of temporary files before, and the operation's behind.
    if written := re.search(r"; ([A-Z][\w ]+?)(?: \[Op:\w+\].*)?$", error.message):
        return written[1]
    lines = [line.strip() for line in _NODE.sub("", error.message).splitlines()]
    return next(
        (line for line in lines if line and not line.startswith(_NOISE)), type(error).__name__
    )
