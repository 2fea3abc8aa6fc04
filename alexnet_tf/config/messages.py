"""What pydantic finds wrong, as one line: where, what is expected, what was received."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel


def line(
    error: Mapping[str, Any],
    place: Sequence[str],
    models: Sequence[type[BaseModel]],
    inner: Sequence[str] | None = None,
) -> str:
    """One of `ValidationError.errors()` in words; an unknown key gets the nearest known one.

    Args: place, the names that lead there. models, in which `inner` (all of `place`) begins.
    """
    if error["type"] == "extra_forbidden":
        known = _siblings(place if inner is None else inner, models)
        near = difflib.get_close_matches(place[-1], known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"unknown key {'.'.join(place)!r}{hint} (expected one of: {', '.join(known)})"
    message = error["msg"].removeprefix("Value error, ")
    received = "" if "received" in message else f"; received {short(error['input'])}"
    joint = "." if re.match(r"[\w.-]+: expected", message) else ": "  # it names a field below
    return f"{'.'.join(place)}{joint}{message}{received}" if place else f"{message}{received}"


def short(value: Any) -> str:
    """Its repr, of at most 100 characters."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        text = "a number of thousands of digits"
    return text if len(text) <= 100 else f"{text[:100]}…"


def _siblings(place: Sequence[str], models: Sequence[type[BaseModel]]) -> list[str]:
    """The valid names beside the last part of `place`, which begins in `models`."""
    models = list(models)
    for part in place[:-1]:
        if part.isdigit():
            continue
        below = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        models = [model for annotation in below for model in _models_in(annotation)] or models
    return sorted({name for model in models for name in model.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for arg in getattr(annotation, "__args__", ()) for m in _models_in(arg)]
