"""Configurations as YAML: `base:` inheritance, dotted overrides, one-line errors, differences."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from alexnet_tf.config.schema import OPTIMIZERS, SCHEDULES, Config
from alexnet_tf.errors import ConfigError
from alexnet_tf.network.spec import VARIANTS

MAX_BYTES = 1 << 20
# Sections whose name says which other keys they have, and the name they have by default.
NAMED = {"schedule": (SCHEDULES, "piecewise"), "optimizer": (OPTIMIZERS, "momentum")}


def to_yaml(config: Config) -> str:
    """The resolved configuration; `parse` of it gives an equal Config."""
    tree = config.model_dump(mode="json")
    tree["network"]["layers"] = {layer.pop("name"): layer for layer in tree["network"]["layers"]}
    return yaml.safe_dump(tree, sort_keys=False, default_flow_style=None, width=100)


def load(path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> Config:
    """Reads a YAML file, what it names in `base:`, and `section.key=value` overrides.

    Raises ConfigError: no such file, not YAML, unknown or ill-typed key (with the nearest name).
    """
    tree = read_tree(path)
    for override in overrides:
        tree = merge(tree, parse_override(override))
    return parse(tree, str(path))


def read_tree(path: str | Path) -> dict:
    """A YAML file laid over what it names in `base:`, not yet checked."""
    return _named(_read(Path(path), ()))


def parse(tree: dict, where: str = "configuration") -> Config:
    """A Config from nested mappings; `where` begins the error's line."""
    tree = _named(tree)
    try:
        return Config.model_validate({**tree, "network": _expand(tree.get("network", {}))})
    except ValidationError as error:
        raise ConfigError(f"{where}: {_one_line(error)}") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def differences(old: Config, new: Config) -> list[str]:
    """`section.key: old → new` for every field that differs."""
    return _compare("", old.model_dump(mode="json"), new.model_dump(mode="json"))


def merge(base: Any, change: Any) -> Any:
    """`change` laid over `base`; a mapping whose name or variant changes replaces the base's."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    for key in ("name", "variant"):
        if key in change and key in base and change[key] != base[key]:
            return change
    return {**base, **{k: merge(base[k], v) if k in base else v for k, v in change.items()}}


def _read(path: Path, seen: tuple[Path, ...]) -> dict:
    path = path.resolve()
    if path in seen:
        raise ConfigError(f"{path}: expected no cycle of `base:`, received one")
    if not path.is_file():
        raise ConfigError(f"expected a YAML configuration, received {path}, which is no file")
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(f"{path}: expected at most {MAX_BYTES} bytes of YAML")
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: expected YAML, received: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected sections of keys, received a {type(tree).__name__}")
    base = tree.pop("base", None)
    return merge(_named(_read(path.parent / str(base), (*seen, path))), tree) if base else tree


def _named(tree: dict) -> dict:
    """Says default names, so that a change of name is seen as one."""
    names = {}
    for section, (_, default) in NAMED.items():
        given = tree.get(section, {})
        if isinstance(given, dict):
            names[section] = {"name": default, **given}
    return {**tree, **names}


def parse_override(text: str) -> dict:
    """ "section.key=value" as nested mappings. Raises ConfigError where it is no such thing."""
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise ConfigError(f"expected section.key=value, received {text!r}")
    try:
        tree = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"expected a YAML value in {text!r}: {error}") from error
    for part in reversed(key.split(".")):
        tree = {part: tree}
    return tree


def _expand(given: Any) -> Any:
    """The variant's fields with the given ones laid over them; layers are merged by name."""
    if not isinstance(given, dict):
        return given
    variant = given.get("variant", "paper")
    if variant not in VARIANTS:
        raise ConfigError(
            f"network.variant: expected one of {', '.join(VARIANTS)}, received {variant!r}"
        )
    tree = VARIANTS[variant].model_dump(exclude={"num_classes"})
    layers = {layer["name"]: layer for layer in tree.pop("layers")}
    given = {**given}
    changes = given.pop("layers", {})
    unknown = set(changes) - set(layers) if isinstance(changes, dict) else {"layers"}
    if unknown:
        raise ConfigError(
            f"network.layers: expected some of {', '.join(layers)}, received {sorted(unknown)}"
        )
    return {**merge(tree, given), "layers": list(merge(layers, changes).values())}


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    models: list[type[BaseModel]] = [Config]
    if len(place) > 1 and place[0] in NAMED:  # pydantic puts the name between
        models = [NAMED[place[0]][0][place.pop(1)]]
    if first["type"] == "extra_forbidden":
        known = _siblings(place[1:] if models != [Config] else place, models)
        near = difflib.get_close_matches(place[-1], known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"unknown key {'.'.join(place)!r}{hint} (expected one of: {', '.join(known)})"
    message = first["msg"].removeprefix("Value error, ")
    received = "" if "received" in message else f"; received {first['input']!r}"
    return f"{'.'.join(place)}: {message}{received}" if place else f"{message}{received}"


def _siblings(place: list[str], models: list[type[BaseModel]]) -> list[str]:
    """The valid names beside the last part of `place`, which begins in `models`."""
    for part in place[:-1]:
        if part.isdigit():
            continue
        found = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        models = [a for f in found for a in _models_in(f)] or models
    return sorted({name for model in models for name in model.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for arg in getattr(annotation, "__args__", ()) for m in _models_in(arg)]


def _compare(place: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = dict.fromkeys([*old, *new])
        rows = (_compare(f"{place}.{k}".lstrip("."), old.get(k), new.get(k)) for k in keys)
        return [row for group in rows for row in group]
    return [] if old == new else [f"{place}: {old!r} → {new!r}"]
