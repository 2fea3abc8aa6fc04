"""Every setting with its default, its values and its meaning, as a page: docs/settings.md.

Defaults and values are read from the classes, meanings from the comments beside their fields.
"""

from __future__ import annotations

import ast
import inspect
import io
import json
import tokenize
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from alexnet_tf.config import schema
from alexnet_tf.config.schedules import BiasSteps
from alexnet_tf.network.operations import LRN, Dropout, Pool, Settings, SpatialNorm
from alexnet_tf.network.spec import VARIANTS
from alexnet_tf.network.structure import Conv, NetworkSpec

COMMAND = "python -m alexnet_tf.describe --settings"
HEAD = f"""\
# Every setting

Made by `{COMMAND}`; a test holds it current. A configuration is a YAML
file of these sections; the command line replaces any value: `training.epochs=30 network.lrn.k=1`.
`base:` names another file, over which this one is laid. An unknown key is refused with the nearest
valid name.
"""
_OPERATIONS = {
    "lrn": LRN,
    "spatial_norm": SpatialNorm,
    "pool": Pool,
    "dropout": Dropout,
}
_NETWORK_NOTE = (
    "Defaults are those of the variants: a setting that is not named stays the variant's."
)
_LAYERS_NOTE = (
    "Or, with `type: local`, one with a kernel and a bias of its own at every place; or, with"
    " `type: dense`, a fully connected layer."
)

# As a configuration has them: the class holds rows.
_LAYERS = "`{NAME: settings of network.layers.NAME, or null to leave it out}`"
_BIASES_NOTE = "Of `linear` and `exp` without the steps."


def page() -> str:
    """The page, in Markdown."""
    sections = [
        _section("network", NetworkSpec, _NETWORK_NOTE),
        *(_section(f"network.{name}", model) for name, model in _OPERATIONS.items()),
        _section("network.layers.NAME", Conv, _LAYERS_NOTE),
        _section("data", schema.DataConfig),
        _section("data.color_noise", schema.ColorNoise),
        _section("data.held_out", schema.HeldOut),
        _section("training", schema.TrainingConfig),
        *_named("optimizer", schema.OPTIMIZERS),
        *_named("schedule", schema.SCHEDULES),
        _section("schedule.biases", BiasSteps, _BIASES_NOTE),
        _section("schedule.batch_rule", schema.BatchRule),
        _section("strategy", schema.StrategyConfig),
        _section("monitoring", schema.MonitoringConfig),
        _section("init_from", schema.InitFromConfig),
    ]
    return "\n\n".join([HEAD.strip(), *sections]) + "\n"


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """Of each field what the comments above and behind it say, or nothing."""
    found = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, Settings) and cls is not Settings:
            found |= _comments(inspect.getsource(cls))
    return {name: found.get(name, "") for name in model.model_fields}


def _named(section: str, models: dict[str, type[BaseModel]]) -> Iterable[str]:
    """A section whose name says which other keys it has."""
    return [
        _section(section, model, title=f"{section}, name: {name}") for name, model in models.items()
    ]


def _section(key: str, model: type[BaseModel], note: str = "", title: str = "") -> str:
    explained = meanings(model)
    definitions = model.model_json_schema()
    rows = [  # the name of a section is in its title
        (
            f"`{name}`",
            _default(key, name, content),
            _LAYERS if name == "layers" else _values(content, definitions.get("$defs", {})),
            explained[name],
        )
        for name, content in definitions["properties"].items()
        if not (title and name == "name")
    ]
    lines = [("", "default", "values", "meaning"), ("---",) * 4, *rows]
    table = "\n".join(f"| {' | '.join(c.replace('|', '/') for c in line)} |" for line in lines)
    said = inspect.cleandoc(model.__doc__ or "")
    return "\n\n".join(filter(None, [f"## {title or key}", said, note, table]))


def _comments(source: str) -> dict[str, str]:
    """By field of a class: the comment lines right above it, and what stands behind it."""
    comments, alone = {}, set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments[token.start[0]] = token.string.removeprefix("#").strip()
            if not token.line[: token.start[1]].strip():
                alone.add(token.start[0])
    [definition] = ast.parse(source).body
    found = {}
    for node in definition.body:
        if isinstance(node, ast.AnnAssign):
            first = node.lineno
            while first - 1 in alone:
                first -= 1
            lines = [comments[n] for n in range(first, node.end_lineno + 1) if n in comments]
            found[node.target.id] = " ".join(lines)
    return found


def _default(key: str, name: str, content: dict) -> str:
    if not key.startswith("network") or key == "network.layers.NAME":
        return f"`{_yaml(content['default'])}`" if "default" in content else ""
    if name in ("variant", "layers", *_OPERATIONS):
        return ""
    operation = key.removeprefix("network").removeprefix(".")
    values: dict[str, list[str]] = {}
    for variant, spec in VARIANTS.items():
        owner = getattr(spec, operation) if operation else spec
        if owner is not None:
            values.setdefault(_yaml(getattr(owner, name)), []).append(variant)
    (first, _), *others = values.items()
    return "; ".join([f"`{first}`", *(f"`{value}` of {', '.join(of)}" for value, of in others)])


def _values(content: dict, definitions: dict[str, dict]) -> str:
    """What a JSON schema allows, in short."""
    if "$ref" in content:
        return "settings of its own"
    if "const" in content or "enum" in content:
        return ", ".join(f"`{value}`" for value in content.get("enum", [content.get("const")]))
    if "anyOf" in content:
        return " or ".join(dict.fromkeys(_values(part, definitions) for part in content["anyOf"]))
    kind = content.get("type")
    if kind in ("integer", "number"):
        return {"integer": "a whole number", "number": "a number"}[kind] + _bounds(content)
    if kind == "array":
        if _epoch_values(content):
            return "[[epoch, value], …]"
        if "prefixItems" in content:
            return f"{len(content['prefixItems'])} numbers"
        items = content["items"]
        return f"a list of {_values(items, definitions)}" if "enum" in items else "a list"
    if kind == "object":
        return f"{{name: {_values(content['additionalProperties'], definitions)}}}"
    return {"boolean": "`true`, `false`", "null": "`null`", "string": "a text"}.get(kind, "")


def _epoch_values(content: dict) -> bool:
    return "prefixItems" in content.get("items", {})


def _bounds(content: dict) -> str:
    low, high = content.get("minimum"), content.get("maximum")
    above, below = content.get("exclusiveMinimum"), content.get("exclusiveMaximum")
    words = (("from", low), ("above", above), ("to", high), ("below", below))
    return "".join(f" {word} {_number(value)}" for word, value in words if value is not None)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.7g}"


def _yaml(value: Any) -> str:
    return json.dumps(value).replace('"', "")
