"""state.json of a checkpoint: its step, its state, the files' checksums, and its own."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STATE = "state.json"
PREFIX = "step-"
OLD = ".old"
STATE_BYTES = 1 << 20  # at most


def read_state(path: Path) -> Mapping:
    """A checkpoint's state. Raises ValueError, OSError: anything in the checkpoint is damaged."""
    content = _content(path)
    for name, checksum in content["files"].items():
        if sha256(path / name) != checksum:
            raise ValueError(f"{name} has another checksum")
    return content["state"]


def read_error(path: Path) -> float | None:
    """The validation's top-1 error that it was saved with, if with one; only state.json is read.

    Raises ValueError, OSError: that is damaged.
    """
    return _content(path).get("error")


def _content(path: Path) -> dict[str, Any]:
    content = _parse_state(_read_file(path / STATE, STATE_BYTES))
    if path.name.removesuffix(OLD) != f"{PREFIX}{content['step']:09d}":
        raise ValueError(f"{STATE} is that of step {content['step']}")
    return content


def state_bytes(content: Mapping[str, Any]) -> bytes:
    """state.json's bytes: the content, and last the SHA-256 of its canonical JSON."""
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return json.dumps({**content, "checksum": digest}, indent=1).encode()


def _parse_state(data: bytes) -> dict[str, Any]:
    """The inverse of `state_bytes`, which knows every byte. Raises ValueError.

    Without a checksum it is of a version before 2026-12, whose files alone had one.
    """
    try:
        content = json.loads(data)
    except RecursionError as error:
        raise ValueError(f"{STATE} is nested too deeply") from error
    fields = {"step", "state", "files"}
    if not isinstance(content, dict) or set(content) - {"checksum", "error"} != fields:
        raise ValueError(f"expected {', '.join(sorted(fields))} in {STATE}, received others")
    rest = {name: content[name] for name in content if name != "checksum"}
    if "checksum" in content and state_bytes(rest) != data:
        raise ValueError(f"{STATE} has another checksum")
    if type(rest["step"]) is not int or not isinstance(rest["files"], dict):
        raise ValueError(f"expected a step and files in {STATE}, received others")
    if not all(isinstance(rest[name], dict) for name in ("state", "files")):
        raise ValueError(f"expected objects in {STATE}, received others")
    error = rest.get("error")
    if error is not None and not (type(error) is float and math.isfinite(error)):
        raise ValueError(f"expected a number as error in {STATE}, received another")
    return rest


def _read_file(path: Path, limit: int) -> bytes:
    if not path.is_file():  # a pipe would be waited for
        raise ValueError(f"{path.name} is missing")
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{path.name} is larger than {limit} bytes")
    return data


def sha256(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"{path.name} is missing")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
