"""What a finished training has shown, in a small file that outlives its run directory.

With it the run counts as done, on whatever machine: outcomes are to be kept, and gathered.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from alexnet_tf.config import files as config_files
from alexnet_tf.errors import UserError
from alexnet_tf.evaluation.packed import unpack
from alexnet_tf.network.operations import Settings
from alexnet_tf.reproduction.baseline import BASELINES, baseline_identity, settings_of
from alexnet_tf.reproduction.identity import average_identity, identity
from alexnet_tf.reproduction.kernel_color import Kernels
from preprocessing.dataset.atomic import write_text

MAX_BYTES = 16 << 20
FORMAT = 1


class Errors(Settings):
    """On the validation split, seen in so many views. Fractions and nats; see `packed`.

    A baseline has no probabilities, and so neither a loss nor the five most probable classes.
    """

    top1_error: float = Field(ge=0, le=1)
    top5_error: float | None = Field(ge=0, le=1)
    loss: float | None
    top1_wrong: str
    top5_wrong: str | None


class Course(Settings):
    """Of each epoch, from the first: means over its pictures, and the seconds it took."""

    training_loss: tuple[float, ...] = ()
    training_error: tuple[float, ...] = ()  # top-1
    validation_error: tuple[float, ...] = ()  # top-1, center view
    seconds: tuple[float | None, ...] = ()  # None: a training of an older version did not note it
    processor_seconds: tuple[float | None, ...] = ()

    @model_validator(mode="after")
    def _of_the_same_epochs(self) -> Course:
        lengths = {len(getattr(self, name)) for name in type(self).model_fields}
        if len(lengths) > 1:
            raise ValueError(f"expected columns of one length, received {sorted(lengths)}")
        return self


class Outcome(Settings):
    """One training's. `config` is resolved; `dataset` is the fingerprint; `made`, where and when.

    machine_seconds, processor_seconds: of the whole training, with what was done twice.
    images_seen: by the training, each as often as it was; first_layer: of each tower, and of
    none if it is no convolution. None: it was not noted, by an older version (see `completion`).
    averaged: of an ensemble, the seeds of its networks, whose first one's `config` and `seed` are
    here. baseline: a name in `BASELINES`, with its settings in the place of `config`. Neither has a
    course.
    """

    format: Literal[1] = FORMAT
    identity: str
    seed: int
    dataset: str
    pictures: int = Field(ge=1)
    views: dict[int, Errors]
    course: Course
    machine_seconds: float | None
    processor_seconds: float | None
    made: dict[str, str]
    config: dict[str, Any]
    images_seen: int | None = None
    first_layer: tuple[Kernels, ...] | None = None
    averaged: tuple[int, ...] = ()
    baseline: str | None = None

    @model_validator(mode="after")
    def _of_all_pictures(self) -> Outcome:
        for errors in self.views.values():
            for packed in (errors.top1_wrong, errors.top5_wrong):
                if packed is not None:
                    unpack(packed, self.pictures)  # raises ValueError
        return self

    @model_validator(mode="after")
    def _networks_have_a_course(self) -> Outcome:
        if not (self.averaged or self.baseline or self.course.training_error):
            raise ValueError("course: expected an epoch, received none")
        return self

    def wrong(self, views: int, top: Literal[1, 5] = 1) -> np.ndarray:
        """bool [pictures]: which were taken for another class."""
        errors = self.views[views]
        return unpack(errors.top1_wrong if top == 1 else errors.top5_wrong, self.pictures)


class Damaged(Exception):
    """An outcome's file that cannot be used; the text says why."""


class Outcomes:
    """A directory of outcomes.

    unusable: a line for each file that cannot be used. It counts for nothing, and is replaced when
    its training has been made again.
    """

    def __init__(self, directory: str | os.PathLike):
        self.directory = Path(directory)
        self.unusable: list[str] = []
        self._found: dict[tuple[str, int], Outcome] = {}
        for path in sorted(self.directory.glob("*.json")):
            try:
                outcome = read(path)
            except Damaged as error:
                self.unusable.append(f"{path.name} does not count: {error}")
                continue
            self._found[outcome.identity, outcome.seed] = outcome

    def get(self, identity: str, seed: int) -> Outcome | None:
        return self._found.get((identity, seed))

    def of(self, identity: str) -> list[Outcome]:
        """Those of all seeds there are."""
        return [found for (name, _), found in self._found.items() if name == identity]

    def networks(self) -> list[list[Outcome]]:
        """All of them, those of one identity together, by seed."""
        together: dict[str, list[Outcome]] = {}
        for (network, _), outcome in sorted(self._found.items()):
            together.setdefault(network, []).append(outcome)
        return list(together.values())

    def keep(self, outcome: Outcome) -> Path:
        """Writes it. Raises OSError."""
        path = self.directory / f"{outcome.identity}-seed-{outcome.seed}.json"
        write(outcome, path)
        self._found[outcome.identity, outcome.seed] = outcome
        return path


def write(outcome: Outcome, path: Path) -> None:
    """Under a temporary name first. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.loads(outcome.model_dump_json())
    write_text(path, json.dumps({**content, "checksum": _checksum(content)}) + "\n")


def read(path: Path) -> Outcome:
    """An outcome whose content is what it was written as. Raises Damaged.

    Its identity is worked out anew from its configuration, to which settings may have been added
    since, with defaults that hold for it.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Damaged(f"expected at most {MAX_BYTES} bytes")
        content = json.loads(path.read_bytes())
        checksum = content.pop("checksum")
        if checksum != _checksum(content):
            raise Damaged("its checksum is not that of its content; it was changed")
        outcome = Outcome.model_validate(content)
        if outcome.baseline is not None:
            return outcome.model_copy(update={"identity": _of_baseline(outcome)})
        config = config_files.parse(outcome.config, "its configuration")
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Damaged(f"{place}: {first['msg']}") from error
    except UserError as error:  # of the configuration
        raise Damaged(str(error)) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged(f"it is damaged ({type(error).__name__}: {error})") from error
    if config.training.seed != outcome.seed:
        raise Damaged(f"seed {outcome.seed} was trained with seed {config.training.seed}")
    same = identity(config, outcome.dataset)
    if outcome.averaged:
        same = average_identity(same, outcome.averaged)
    return outcome.model_copy(update={"identity": same})


def _of_baseline(outcome: Outcome) -> str:
    """Its identity, if it is what that baseline is today. Raises Damaged."""
    name, fraction = outcome.baseline, outcome.config.get("fraction", 1.0)
    if name not in BASELINES or outcome.config != settings_of(name, fraction):
        raise Damaged(f"its baseline {name!r:.100} is none that is known today")
    return baseline_identity(name, outcome.dataset, fraction)


def _checksum(content: dict) -> str:
    """SHA-256 (hex), however the JSON is spaced and ordered."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
