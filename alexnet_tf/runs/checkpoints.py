"""Checkpoints: each a directory that appears whole or not at all, and is checked when read.

RUN/checkpoints/step-000001234/ holds the variables by name (a TensorFlow checkpoint, readable with
tf.train.load_checkpoint) and state.json: the run's other state, the files' SHA-256 and its own.
A checkpoint of the same step that is just being replaced lies beside it as step-000001234.old.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from alexnet_tf.errors import CheckpointError

STATE = "state.json"
PREFIX = "step-"
OLD = ".old"
# What lies under these names counts for nothing: a kill left it while it was written or removed.
WRITING, REMOVED = ".writing-", ".removed-"
STATE_BYTES = 1 << 20  # at most
log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints below one directory, whose parent must be there; the newest `keep` are kept.

    One process at a time may write or remove.
    """

    def __init__(self, directory: str | os.PathLike, keep: int = 3):
        self.directory, self.keep = Path(directory), keep

    def steps(self) -> list[int]:
        """Steps of the checkpoints there are, oldest first."""
        names = {path.name.removesuffix(OLD) for path in self.directory.glob(f"{PREFIX}*")}
        return sorted(int(n.removeprefix(PREFIX)) for n in names if n[len(PREFIX) :].isdigit())

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step is, or would be."""
        return self.directory / f"{PREFIX}{step:09d}"

    def save(self, step: int, variables: Mapping[str, Mapping], state: Mapping) -> Path:
        """Writes groups of named variables and a JSON-able state; then removes what is not kept.

        At every moment the old checkpoint of the same step, or the new one, is there. Checkpoints
        of later steps, too, are removed: the run went back behind them because they are damaged.

        Raises OSError, tf.errors.OpError: it cannot be written.
        """
        self.directory.mkdir(exist_ok=True)
        self._clean()
        final, temporary = self.path(step), self.directory / f"{WRITING}{os.getpid()}"
        temporary.mkdir()
        _trackable(variables).write(str(temporary / "variables"))
        files = {path.name: _sha256(path) for path in sorted(temporary.iterdir())}
        content = {"step": step, "state": state, "files": files}
        (temporary / STATE).write_bytes(_state_bytes(content))
        for path in [*temporary.iterdir(), temporary]:
            _to_disk(path)
        if final.exists():
            self._remove(_old(final))
            final.replace(_old(final))
        temporary.replace(final)
        _to_disk(self.directory)
        steps = [there for there in self.steps() if there <= step]
        for there in self.steps():
            path, kept = self.path(there), there in steps[-self.keep :]
            if path.exists() or not kept:  # else a kill left nothing but the old one
                self._remove(_old(path))
            if not kept:
                self._remove(path)
        self._clean()
        return final

    def remove_from(self, step: int) -> None:
        """Removes the checkpoints of this and later steps."""
        for there in self.steps():
            if there >= step:
                self._remove(_old(self.path(there)))
                self._remove(self.path(there))
        self._clean()

    def restore_newest(self, variables: Mapping[str, Mapping]) -> Mapping | None:
        """Reads the newest undamaged checkpoint into the variables and returns its state.

        None if there is no checkpoint. A damaged one is passed over with a warning.
        Raises CheckpointError if all are damaged.
        """
        paths = [p for s in reversed(self.steps()) for p in (self.path(s), _old(self.path(s)))]
        paths = [path for path in paths if path.exists()]
        for path in paths:
            try:
                state = read_state(path)
            except (OSError, ValueError) as error:
                log.warning("checkpoint %s is damaged (%s); trying the one before", path, error)
                continue
            read = _trackable(variables).read(str(path / "variables"))
            read.expect_partial().assert_existing_objects_matched()
            return state
        if paths:
            raise CheckpointError(
                f"expected an undamaged checkpoint in {self.directory}, found {len(paths)} damaged"
                " ones; remove the directory to begin anew"
            )
        return None

    def _remove(self, path: Path) -> None:
        """First renamed, so that a kill leaves nothing half-deleted under a checkpoint's name."""
        if path.exists():
            path.replace(self.directory / f"{REMOVED}{path.name}-{os.urandom(4).hex()}")

    def _clean(self) -> None:
        for prefix in (WRITING, REMOVED):
            for path in self.directory.glob(f"{prefix}*"):
                shutil.rmtree(path)


def read_state(path: Path) -> Mapping:
    """A checkpoint's state. Raises ValueError, OSError: anything in the checkpoint is damaged."""
    content = _parse_state(_read_file(path / STATE, STATE_BYTES))
    if path.name.removesuffix(OLD) != f"{PREFIX}{content['step']:09d}":
        raise ValueError(f"{STATE} is that of step {content['step']}")
    for name, checksum in content["files"].items():
        if _sha256(path / name) != checksum:
            raise ValueError(f"{name} has another checksum")
    return content["state"]


def _state_bytes(content: Mapping[str, Any]) -> bytes:
    """state.json's bytes: the content, and last the SHA-256 of its canonical JSON."""
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return json.dumps({**content, "checksum": digest}, indent=1).encode()


def _parse_state(data: bytes) -> dict[str, Any]:
    """The inverse of `_state_bytes`, which knows every byte. Raises ValueError.

    Without a checksum it is of a version before 2026-12, whose files alone had one.
    """
    try:
        content = json.loads(data)
    except RecursionError as error:
        raise ValueError(f"{STATE} is nested too deeply") from error
    fields = {"step", "state", "files"}
    if not isinstance(content, dict) or set(content) - {"checksum"} != fields:
        raise ValueError(f"expected {', '.join(sorted(fields))} in {STATE}, received others")
    rest = {name: content[name] for name in content if name != "checksum"}
    if "checksum" in content and _state_bytes(rest) != data:
        raise ValueError(f"{STATE} has another checksum")
    if type(rest["step"]) is not int or not isinstance(rest["files"], dict):
        raise ValueError(f"expected a step and files in {STATE}, received others")
    if not all(isinstance(value, dict) == (name != "step") for name, value in rest.items()):
        raise ValueError(f"expected objects in {STATE}, received others")
    return rest


def _trackable(variables: Mapping[str, Mapping]) -> tf.train.Checkpoint:
    return tf.train.Checkpoint(**{group: dict(named) for group, named in variables.items()})


def _old(path: Path) -> Path:
    return path.with_name(path.name + OLD)


def _read_file(path: Path, limit: int) -> bytes:
    if not path.is_file():  # a pipe would be waited for
        raise ValueError(f"{path.name} is missing")
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{path.name} is larger than {limit} bytes")
    return data


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"{path.name} is missing")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
