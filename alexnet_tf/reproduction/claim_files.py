"""Claims from their files: read, found by name, resolved into configurations."""

from __future__ import annotations

import difflib
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from alexnet_tf.config import builtin, messages, yaml_files
from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import Config
from alexnet_tf.errors import ConfigError, GeometryError
from alexnet_tf.reproduction.claim import Claim
from alexnet_tf.reproduction.claim_parts import SCALES, ScaleName
from alexnet_tf.reproduction.comparison import EveryRun

CLAIMS = builtin.DIRECTORY / "claims"
KINDS = ("lower", "ratio", "figure", "trend", "every-run")
# Laid under all: images in TensorBoard cost time and change nothing, and one checkpoint is enough.
DEFAULTS = ("monitoring.every_epochs=0", "monitoring.projector=0", "training.keep_checkpoints=1")


def names() -> list[str]:
    """Of all claims there are."""
    return sorted(path.stem for path in CLAIMS.glob("*.yaml"))


def find(name: str) -> Claim:
    """A claim by its name, or by its file. ConfigError with the nearest names for another."""
    if name.endswith(".yaml"):
        return load(name)
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
        raise ConfigError(f"expected a claim, received {name!r:.100}; {hint} (see --list)")
    return load(CLAIMS / f"{name}.yaml")


def load(path: str | os.PathLike) -> Claim:
    """Reads a claim. ConfigError in one line: what is wrong in it, or in an arm's configuration."""
    path = Path(path)
    tree = yaml_files.read(path)
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a claim, received a {type(tree).__name__}")
    try:
        claim = Claim.model_validate({**_beside(tree, path.parent), "name": path.stem})
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"] if part not in KINDS]
        raise ConfigError(f"{path}: {messages.line(first, place, [Claim])}") from error
    try:
        for scale in SCALES:
            _check(claim, scale)
    except (ConfigError, GeometryError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return claim


def configuration(claim: Claim, scale: ScaleName, arm: str) -> Config:
    """What an arm is trained with. ConfigError or GeometryError naming the arm."""
    own, of_all = claim.arms[arm], claim.scale(scale)
    path = own.config or of_all.config
    if path is None:
        raise ConfigError(f"arms.{arm}: expected a config, its own or in scales.{scale}")
    overrides = [*DEFAULTS, *of_all.overrides, *own.overrides, *of_all.arms.get(arm, ())]
    try:
        return config_files.load(path, overrides)
    except (ConfigError, GeometryError) as error:
        raise type(error)(f"arms.{arm} at scale {scale}: {error}") from error


def _beside(tree: dict, folder: Path) -> dict:
    """Paths of configurations, which are given as seen from the claim's file."""

    def placed(part: object) -> object:
        if isinstance(part, dict) and isinstance(part.get("config"), str):
            return {**part, "config": os.path.normpath(folder / part["config"])}
        return part

    changed = {}
    for section in ("arms", "scales"):
        if isinstance(tree.get(section), dict):
            changed[section] = {name: placed(part) for name, part in tree[section].items()}
    return {**tree, **changed}


def _check(claim: Claim, scale: ScaleName) -> None:
    """Each arm resolves, and the networks compared differ in what the claim says, nothing else."""
    configs = {arm: configuration(claim, scale, arm) for arm in claim.networks}
    if isinstance(claim.comparison, EveryRun):
        towers = configs[claim.comparison.arm].network.towers
        if towers != 2:
            raise ConfigError(f"comparison.arm: expected a network of 2 towers, received {towers}")
    networks = [arm for arm in dict.fromkeys(claim.compared) if arm in configs]
    if len(networks) < 2:
        if claim.differ_in:
            raise ConfigError("differ_in: expected none where no two arms are networks")
        return
    every: list[str] = []
    for first, second in itertools.combinations(networks, 2):
        rows = config_files.differences(configs[first], configs[second])
        if not rows and claim.views_of(first) == claim.views_of(second):
            raise ConfigError(f"comparison: expected two arms, {first} and {second} are the same")
        others = [row for row in rows if not _within(row, claim.differ_in)]
        if others:
            raise ConfigError(
                f"differ_in: at scale {scale} the arms also differ in {others[0]:.200}"
            )
        every += rows
    unused = [name for name in claim.differ_in if not any(_within(r, [name]) for r in every)]
    if unused:
        raise ConfigError(f"differ_in: at scale {scale} the arms do not differ in {unused[0]}")


def _within(row: str, settings: Sequence[str]) -> bool:
    place, _, _ = row.partition(": ")
    return any(place == name or place.startswith(f"{name}.") for name in settings)
