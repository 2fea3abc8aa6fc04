"""YAML from people and strangers: numbers, truths, texts, lists and mappings, within bounds.

Dates are texts (no setting is one), and so are numbers in base 60. What would grow beyond bounds
when its aliases are written out, nests too deeply or is too long is refused before it is built.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from alexnet_tf.errors import ConfigError

MAX_BYTES = 1 << 18
MAX_VALUES = 5_000  # with every alias written out
MAX_DEPTH = 40


def read(path: Path) -> Any:
    """What a YAML file holds. Raises ConfigError: no such file, not YAML, out of bounds."""
    try:
        if not path.is_file():
            raise ConfigError(f"expected a YAML configuration, received {path}, which is no file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"expected a YAML configuration, received {path}: {error}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: expected at most {MAX_BYTES} bytes of YAML")
    try:
        return parse(content.decode("utf-8"))
    except ValueError as error:
        raise ConfigError(
            f"{path}: expected YAML, received: {' '.join(str(error).split())}"
        ) from error


def parse(text: str) -> Any:
    """The value of a YAML text. Raises ValueError saying what is wrong."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


class _Loader(yaml.SafeLoader):
    """PyYAML's SafeLoader with bounds, without dates and numbers in base 60."""

    def __init__(self, text: str):
        super().__init__(text)
        self.depth = 0
        self.sizes: dict[int, int] = {}  # of finished nodes: values below them, by identity

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        alias = self.check_event(yaml.AliasEvent)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError(f"expected at most {MAX_DEPTH} levels")
        node = super().compose_node(parent, index)
        self.depth -= 1
        if alias and id(node) not in self.sizes:
            raise ValueError("expected no alias to what it is a part of")
        if not alias:
            size = 1 + sum(self.sizes[id(child)] for child in _children(node))
            if max(size, len(self.sizes)) > MAX_VALUES:
                raise ValueError(f"expected at most {MAX_VALUES} values, aliases written out")
            self.sizes[id(node)] = size
        return node


def _children(node: yaml.Node | None) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _number(loader: _Loader, node: yaml.ScalarNode) -> int | float | str:
    if ":" in node.value:  # base 60: 1:30 would be 90
        return node.value
    integer = node.tag.endswith(":int")
    return (loader.construct_yaml_int if integer else loader.construct_yaml_float)(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
