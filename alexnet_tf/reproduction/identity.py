"""Which trainings are the same: one configuration on one dataset, whatever claim asks for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from alexnet_tf.config.schema import Config
from alexnet_tf.runs.directory import FREE

KINDS = ("name", "type")
APART = ("training.seed", *FREE)  # what may differ between trainings of one identity
_PREFIXES = tuple(f"{name.rstrip('.')}." for name in APART)


def identity(config: Config, fingerprint: str) -> str:
    """Of a configuration with the dataset's classes, and the dataset: variant and twelve digits.

    The seed does not matter, nor what changes nothing in the training (`runs.directory.FREE`).
    Only what is not as by default counts, so that a setting that is added to the program, with a
    default, leaves the directories of runs that are at work where they are.
    """
    dumps = (config.model_dump(mode="json", exclude_defaults=bare) for bare in (False, True))
    content = json.dumps([_without_free(_chosen(*dumps)), fingerprint], sort_keys=True)
    digits = hashlib.sha256(content.encode()).hexdigest()[:12]
    return f"{config.network.variant}-{digits}"


def average_identity(of: str, seeds: Sequence[int]) -> str:
    """Of the networks of an identity with these seeds, averaged."""
    return f"{of}-average-{'-'.join(map(str, seeds))}"


def _chosen(full: Any, bare: Any) -> Any:
    """A tree without the defaults, as `bare` is, but with the names of what may be one of several:
    two kinds of optimizer or layer, each with its own defaults, are not the same."""
    if isinstance(full, list) and isinstance(bare, list):
        return [_chosen(*pair) for pair in zip(full, bare, strict=True)]
    if not isinstance(full, dict):
        return full
    named = {key: value for key, value in full.items() if key in KINDS}
    below = {key: _chosen(value, {}) for key, value in full.items() if isinstance(value, dict)}
    given = {key: _chosen(full[key], value) for key, value in bare.items()}
    return named | {key: value for key, value in below.items() if value} | given


def _without_free(tree: Any, place: str = "") -> Any:
    """A tree without the settings that are APART, and without sections of such settings alone."""
    if not isinstance(tree, dict):
        return tree
    kept = {}
    for key, value in tree.items():
        here = f"{place}{key}."
        rest = _without_free(value, here)
        if not here.startswith(_PREFIXES) and (rest != {} or value == {}):
            kept[key] = rest
    return kept
