"""How layers, their operations and their weights are named, in models, checkpoints and settings.

layer        conv1, fc8             as the spec calls it; without "_" and "/"
in a tower   conv1_a, conv1_b       or conv1: of one tower only, or, as fc8, of both in one
operation    conv1_pool_a           layer, operation, tower
weight       conv1_a/kernel         layer of a tower, kind
rate         conv1, conv1/kernel    of both towers' weights: layer, or layer and kind
"""

from __future__ import annotations

KINDS = ("kernel", "bias")
LAYER_PATTERN = r"^[a-z][a-z0-9-]{0,31}$"


def of_tower(name: str, tower: str) -> str:
    """A layer or an operation in a tower: conv1_a; tower "" adds nothing."""
    return f"{name}_{tower}" if tower else name


def operation(layer: str, op: str, tower: str) -> str:
    """What a layer does after its weights, or before them: conv1_pool_a, conv1_pad_a."""
    return of_tower(f"{layer}_{op}", tower)


def weight(layer: str, tower: str, kind: str) -> str:
    return f"{of_tower(layer, tower)}/{kind}"


def layer_and_tower(name: str) -> tuple[str, str]:
    """("conv1", "a") of conv1_a, ("fc8", "") of fc8: what `of_tower` was given."""
    layer, _, tower = name.partition("_")
    return layer, tower


def rate_key(layer: str, kind: str) -> str:
    """The setting of one kind alone; a layer's name is that of both kinds."""
    return f"{layer}/{kind}"


def layer_and_kinds(key: str) -> tuple[str, tuple[str, ...]]:
    """What a rate is of: ("conv1", ("kernel",)) of conv1/kernel, ("conv1", KINDS) of conv1."""
    layer, _, kind = key.partition("/")
    return layer, (kind,) if kind else KINDS
