"""Which trainings are the same: one configuration on one dataset, whatever claim asks for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import Config
from alexnet_tf.runs.directory import FREE

APART = ("training.seed", *FREE)  # what may differ between trainings of one identity


def identity(config: Config, fingerprint: str) -> str:
    """Of a configuration with the dataset's classes, and the dataset: variant and twelve digits.

    The seed does not matter, nor what changes nothing in the training (`runs.directory.FREE`).
    """
    content = json.dumps([_without(config_files.to_tree(config)), fingerprint], sort_keys=True)
    digits = hashlib.sha256(content.encode()).hexdigest()[:12]
    return f"{config.network.variant}-{digits}"


def average_identity(of: str, seeds: Sequence[int]) -> str:
    """Of the networks of an identity with these seeds, averaged."""
    return f"{of}-average-{'-'.join(map(str, seeds))}"


def _without(tree: Any, place: str = "") -> Any:
    """A tree without the settings that are APART."""
    if not isinstance(tree, dict):
        return tree
    return {
        key: _without(value, f"{place}{key}.")
        for key, value in tree.items()
        if not f"{place}{key}.".startswith(tuple(f"{name.rstrip('.')}." for name in APART))
    }
