"""Configurations as YAML: `base:` inheritance, dotted overrides, one-line errors, differences."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from alexnet_tf.config import builtin, messages, yaml_files
from alexnet_tf.config.schema import OPTIMIZERS, SCHEDULES, Config
from alexnet_tf.errors import ConfigError, GeometryError
from alexnet_tf.network.geometry import geometry
from alexnet_tf.network.spec import VARIANTS
from alexnet_tf.network.structure import OPERATIONS_WITH_SETTINGS, Conv, Dense, Local

ROWS = {"conv": Conv, "local": Local, "dense": Dense}
# Sections whose name says which other keys they have, and the name they have by default.
NAMED = {"schedule": (SCHEDULES, "piecewise"), "optimizer": (OPTIMIZERS, "momentum")}


def to_yaml(config: Config) -> str:
    """The resolved configuration; `parse` of it gives an equal Config."""
    return yaml.safe_dump(to_tree(config), sort_keys=False, default_flow_style=None, width=100)


def to_tree(config: Config) -> dict:
    """The resolved configuration as nested mappings, the layers by name; `parse` is its inverse.

    Layers that the variant has and this network has not are null.
    """
    tree = config.model_dump(mode="json")
    layers = {layer.pop("name"): layer for layer in tree["network"]["layers"]}
    known = VARIANTS.get(config.network.variant)
    missing = {row.name for row in known.layers} - set(layers) if known else ()
    tree["network"]["layers"] = {**layers, **dict.fromkeys(sorted(missing))}
    return tree


def load(path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> Config:
    """Reads a YAML file, what it names in `base:`, and `section.key=value` overrides.

    `path` may be a built-in configuration's name.
    Raises ConfigError: no such file, not YAML, unknown or ill-typed key (with the nearest name),
    settings that the network's variant cannot have; GeometryError: sizes that do not fit.
    """
    return parse(merge(read_tree(path), overrides_tree(overrides)), str(path))


def read_tree(path: str | Path) -> dict:
    """A YAML file laid over what it names in `base:`, not yet checked."""
    return _with_names(_read(builtin.find(path), ()))


def parse(tree: dict, where: str = "configuration") -> Config:
    """A Config from nested mappings; `where` begins the error's line."""
    try:
        network = _network(tree.get("network", {}))
        config = Config.model_validate({**_with_names(tree), "network": network})
        geometry(config.network)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_one_line(error, network)}") from error
    except (ConfigError, GeometryError) as error:
        raise type(error)(f"{where}: {error}") from error
    return config


def differences(old: Config, new: Config) -> list[str]:
    """`section.key: old → new` for every field that differs."""
    orders = [[layer.name for layer in config.network.layers] for config in (old, new)]
    moved = _compare("network.layers", *orders) if set(orders[0]) == set(orders[1]) else []
    return [*_compare("", to_tree(old), to_tree(new)), *moved]


def merge(base: Any, change: Any) -> Any:
    """`change` laid over `base`, mapping by mapping.

    Another schedule or optimizer has other settings: with its name, the whole section is replaced.
    """
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    merged = _laid_over(base, change)
    for section in NAMED:
        old, new = (_name(tree.get(section)) for tree in (base, change))
        if old and new and old != new:
            merged[section] = change[section]
    return merged


def overrides_tree(overrides: Iterable[str]) -> dict:
    """Overrides as nested mappings, whatever their order; of two with one key, the last holds."""
    tree: dict = {}
    for override in overrides:
        tree = _laid_over(tree, parse_override(override))
    return tree


def parse_override(text: str) -> dict:
    """ "section.key=value" as nested mappings. Raises ConfigError where it is no such thing."""
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")) or key.count(".") > yaml_files.MAX_DEPTH:
        raise ConfigError(f"expected section.key=value, received {text[:200]!r}")
    try:
        tree = yaml_files.parse(value)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"expected a YAML value in {text[:200]!r}: {reason}") from error
    for part in reversed(key.split(".")):
        tree = {part: tree}
    return tree


def _laid_over(base: Any, change: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    changed = {k: _laid_over(base[k], v) if k in base else v for k, v in change.items()}
    return {**base, **changed}


def _name(section: Any) -> str | None:
    return section.get("name") if isinstance(section, dict) else None


def _read(path: Path, seen: tuple[Path, ...]) -> dict:
    try:
        path = path.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a null byte, a loop of links
        raise ConfigError(
            f"expected a YAML configuration, received {messages.short(str(path))}: {error}"
        ) from error
    if path in seen:
        raise ConfigError(f"{path}: expected no cycle of `base:`, received one")
    tree = yaml_files.read(path) or {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected sections of keys, received a {type(tree).__name__}")
    base = tree.pop("base", None)
    if not base:
        return tree
    return merge(_with_names(_read(path.parent / str(base), (*seen, path))), tree)


def _with_names(tree: dict) -> dict:
    """Says default names, so that a change of name is seen as one."""
    names = {}
    for section, (_, default) in NAMED.items():
        given = tree.get(section, {})
        if isinstance(given, dict):
            names[section] = {"name": default, **given}
    return {**tree, **names}


def _network(given: Any) -> Any:
    """The variant's fields with all given ones laid over them; layers are merged by name.

    A layer given as null is left out.
    Settings of operations that no layer has (left) are dropped if they are the variant's own.
    """
    if not isinstance(given, dict):
        return given
    variant = given.get("variant", "paper")
    if not isinstance(variant, str) or variant not in VARIANTS:
        return _of_its_own(variant, given)
    tree = VARIANTS[variant].model_dump(exclude={"num_classes"})
    layers = {layer["name"]: layer for layer in tree.pop("layers")}
    given = {**given}
    changes = given.pop("layers", {})
    unknown = set(changes) - set(layers) if isinstance(changes, dict) else {"layers"}
    if unknown:
        raise ConfigError(
            f"network.layers: expected some of {', '.join(layers)}, the layers of {variant},"
            f" received {messages.short(sorted(map(str, unknown)))}"
        )
    rows = [row for row in _laid_over(layers, changes).values() if row is not None]
    used = set()
    for row in rows:
        ops = _listed(row.get("ops")) if isinstance(row, dict) else []
        used |= {op for op in ops if op != "pool" or not row.get("pool")}
    for op in set(OPERATIONS_WITH_SETTINGS) - used - set(given):
        tree[op] = None
    return {**_laid_over(tree, given), "layers": rows}


def _of_its_own(variant: Any, given: dict) -> dict:
    """A network under another name, all of whose layers are given, in their order."""
    rows = given.get("layers")
    if not isinstance(rows, dict) or not all(
        isinstance(r, dict) and "type" in r for r in rows.values()
    ):
        raise ConfigError(
            f"network.variant: expected one of {', '.join(VARIANTS)}, or another name with all its"
            f" network.layers, each with its type; received {messages.short(variant)}"
        )
    return {**given, "layers": [{"name": name, **row} for name, row in rows.items()]}


def _listed(ops: Any) -> list[str]:
    return [op for op in ops if isinstance(op, str)] if isinstance(ops, list | tuple) else []


def _one_line(error: ValidationError, network: Any) -> str:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if not re.search(r"constrained-|\[", str(part))]
    models: list[type[BaseModel]] = [Config]
    inner = place
    if len(place) > 1 and place[0] in NAMED:  # pydantic puts the name between
        models, inner = [NAMED[place[0]][0][place.pop(1)]], place[1:]
    if place[:2] == ["network", "layers"] and len(place) > 3:  # number, type, …
        row = network["layers"][int(place[2])]
        models, inner = [ROWS[place[3]]], place[4:]
        place = [*place[:2], str(row["name"]), *inner]
    return messages.line(first, place, models, inner)


def _compare(place: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = dict.fromkeys([*old, *new])
        rows = (_compare(f"{place}.{k}".lstrip("."), old.get(k), new.get(k)) for k in keys)
        return [row for group in rows for row in group]
    return [] if old == new else [f"{place}: {old!r} → {new!r}"]
