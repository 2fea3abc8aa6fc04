"""A preset's files, and whether they are what was written. Read without TensorFlow.

A preset is a trained network as a directory to keep and to hand on, without its training:

preset.json   what it is: its format, which checkpoint, the SHA-256 of the four PARTS and its own
config.yaml   the configuration, resolved
dataset/      dataset_info.json and the mean image: classes, and what happens to images
weights.npz   float32, by the names of `network.weights` ("conv1_a/kernel")
README.md     the model's card; evaluation/, reports of these weights: both for people

It is laid out as a run, and is read wherever one is. Nothing in it is pickled, or is code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from alexnet_tf.errors import RunError
from alexnet_tf.runs.checkpoint_state import sha256, state_bytes
from preprocessing.dataset.names import INFO_FILE, MEAN_FILE

PRESET, WEIGHTS = "preset.json", "weights.npz"
PARTS = ("config.yaml", f"dataset/{INFO_FILE}", f"dataset/{MEAN_FILE}", WEIGHTS)
FORMAT = 1
MAX_BYTES = 1 << 20  # of preset.json


def is_preset(directory: Path) -> bool:
    return os.path.isfile(directory / PRESET)


def expect_preset(directory: Path) -> None:
    """Raises RunError, with what it is instead, if that can be told."""
    if not is_preset(directory):
        raise RunError(
            f"expected a preset, a directory with {PRESET}, received {directory}{hint(directory)}"
        )


def hint(directory: Path) -> str:
    """What a directory is, and how that is read in Python."""
    kinds = {
        PRESET: "a preset: load_preset({!r})",
        "config.yaml": "a run directory: load_run({!r})",
        "saved_model.pb": "a SavedModel: tensorflow.saved_model.load({!r})",
        INFO_FILE: "a dataset: load_dataset({!r})",
        "model.weights.h5": "a preset of another library",
    }
    for name, what in kinds.items():
        if os.path.isfile(directory / name):
            return f"; it is {what.format(str(directory))}"
    return "; it is a directory" if os.path.isdir(directory) else ", which is no directory"


def write_description(directory: Path, checkpoint: str, versions: Mapping[str, str]) -> None:
    """preset.json beside the PARTS, which are there. Raises OSError."""
    content = {
        "format": FORMAT,
        "checkpoint": checkpoint,
        "versions": dict(versions),
        "files": {name: sha256(directory / name) for name in PARTS},
    }
    (directory / PRESET).write_bytes(state_bytes(content))


def checkpoint_of(directory: Path) -> str:
    """Which checkpoint of its run a preset holds. RunError: it is damaged, or of a newer format."""
    try:
        return _description(directory)["checkpoint"]
    except (OSError, ValueError) as error:
        raise damaged(directory, error) from error


def verify(directory: Path) -> None:
    """Looks at every byte of the PARTS. RunError: one is damaged."""
    try:
        files = _description(directory)["files"]
        for name in PARTS:
            if sha256(directory / name) != files[name]:
                raise ValueError(f"{name} has another checksum")
    except (OSError, ValueError) as error:
        raise damaged(directory, error) from error


def damaged(directory: Path, error: Exception) -> RunError:
    """The one line for it."""
    reason = " ".join(str(error).split())
    return RunError(f"the preset {directory} is damaged: {reason}; fetch it, or save it, again")


def _description(directory: Path) -> dict:
    """preset.json's content. Raises ValueError, OSError."""
    with (directory / PRESET).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"expected at most {MAX_BYTES} bytes of {PRESET}")
    try:
        content = json.loads(data)
    except RecursionError as error:
        raise ValueError(f"{PRESET} is nested too deeply") from error
    if not isinstance(content, dict) or type(content.get("format")) is not int:
        raise ValueError(f"{PRESET} is not that of alexnet_tf")
    if content["format"] != FORMAT:
        raise ValueError(
            f"expected format {FORMAT} in {PRESET}, received {content['format']}, which another"
            " version of alexnet_tf wrote"
        )
    rest = {name: value for name, value in content.items() if name != "checksum"}
    if state_bytes(rest) != data:
        raise ValueError(f"{PRESET} has another checksum")
    files = rest.get("files")
    if not isinstance(files, dict) or set(files) != set(PARTS):
        raise ValueError(f"expected checksums of {', '.join(PARTS)} in {PRESET}")
    if not isinstance(rest.get("checkpoint"), str):
        raise ValueError(f"expected the name of a checkpoint in {PRESET}")
    return rest
