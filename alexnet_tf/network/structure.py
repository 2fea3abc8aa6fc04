"""What a network is made of, typed: rows of layers, and what they have in common.

Everything here is data that can be read from YAML. Numbers have bounds, so that what is accepted
can be built; whether the sizes fit each other says `geometry`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from alexnet_tf.network import naming
from alexnet_tf.network.operations import LRN, Dropout, Pool, Positive, Settings, SpatialNorm

CLASSES = 1000  # of ILSVRC
Side = Annotated[int, Field(ge=1, le=512)]  # of a window, or a stride, in pixels
Padding = Annotated[int, Field(ge=0, le=512)]


class _Row(Settings):
    """A layer of weights and the operations after it, in order."""

    name: str = Field(pattern=naming.LAYER_PATTERN)  # the key itself, in a file
    # The image (the first layer), the layer before in its own tower, or in both.
    reads: Literal["image", "own", "both"] = "own"
    # Each tower has the layer, or one alone: the last layer, whose units are the classes, and which
    # does nothing after its weights.
    tower: Literal["each", "a", "b"] = "each"
    units: int = Field(ge=1, le=2**20)  # maps of a convolution; of both towers together
    std: Positive = 0.01  # initial weights are N(0, std²)
    bias: float = Field(0.0, ge=-1e6, le=1e6)  # initial biases

    @field_validator("name")
    @classmethod
    def _not_the_inputs_name(cls, name: str) -> str:
        if name == "image":
            raise ValueError("expected another name than that of the network's input")
        return name

    @field_validator("ops", check_fields=False)
    @classmethod
    def _once(cls, ops: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(ops)) < len(ops):
            raise ValueError(f"expected each operation once, received {', '.join(ops)}")
        return ops


class Conv(_Row):
    """A convolution."""

    type: Literal["conv"] = "conv"  # or local, or dense; a dense layer has none of what follows
    kernel: Side  # the window's side, in pixels
    stride: Side = 1  # pixels between windows
    pad: tuple[Padding, Padding] = (0, 0)  # zeros before (top, left) and after (bottom, right)
    pool: Pool | None = None  # another than the network's
    # What is done after the weights, in this order (dense: relu, lrn, dropout).
    ops: tuple[Literal["relu", "lrn", "spatial_norm", "pool", "dropout"], ...] = ()


class Local(Conv):
    """A convolution with a kernel and a bias of its own at every place."""

    type: Literal["local"] = "local"  # instead of conv


class Dense(_Row):
    """Fully connected; maps are flattened before it."""

    type: Literal["dense"] = "dense"  # instead of conv
    # What is done after the weights, in this order.
    ops: tuple[Literal["relu", "lrn", "dropout"], ...] = ()


Layer = Annotated[Conv | Local | Dense, Field(discriminator="type")]


class NetworkSpec(Settings):
    """Everything that defines a network's function and its initial weights."""

    # One of README's variants, such as paper or original, or another name with all its layers.
    variant: str = Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")
    layers: tuple[Layer, ...] = Field(min_length=1, max_length=64)  # by name, in their order
    input_size: int = Field(224, ge=16, le=4096)  # side of the crops, in pixels
    num_classes: int = Field(CLASSES, ge=2, le=2**20)  # if said, the dataset must have as many
    width: float = Field(1.0, ge=1e-6, le=8)  # factor of the units of all layers but the last
    towers: Literal[1, 2] = 2  # units are divided between them
    activation: Literal["relu", "tanh"] = "relu"  # what relu among the operations stands for
    lrn: LRN | None = None  # settings of the operation; null where no layer has it
    spatial_norm: SpatialNorm | None = None  # the same
    pool: Pool | None = None  # the same
    dropout: Dropout | None = None  # the same
    # normal: N(0, std²), biases as listed. fan-in-uniform: PyTorch's default, ±1/√fan-in for both.
    initializer: Literal["normal", "fan-in-uniform"] = "normal"
    # The listed σ suit full width at the variant's own input size. keep-variance multiplies each by
    # √(full fan-in / fan-in), so that a narrow network starts with the full one's activations.
    init_scaling: Literal["fixed", "keep-variance"] = "fixed"

    @property
    def tower_names(self) -> tuple[str, ...]:
        return ("a", "b") if self.towers == 2 else ("",)

    def towers_of(self, layer: Layer) -> tuple[str, ...]:
        """The towers that hold a layer."""
        if layer.tower == "each" or self.towers == 1:
            return self.tower_names
        return (layer.tower,)

    def units_per_tower(self, layer: Layer) -> int:
        """Units of one tower after `width`; of the last layer, the classes."""
        if layer is self.layers[-1]:
            return self.num_classes
        return max(1, round(layer.units * self.width / self.towers))

    def pool_of(self, layer: Conv) -> Pool:
        """How a layer with a pool does it."""
        return layer.pool or self.pool

    @model_validator(mode="after")
    def _connected(self) -> NetworkSpec:
        *hidden, last = self.layers
        _expect(len({row.name for row in self.layers}) == len(self.layers), "layers: other names")
        dense = False
        for number, row in enumerate(self.layers):
            place = f"layers.{row.name}"
            _expect(
                (row.reads == "image") == (number == 0),
                f"{place}.reads: image of the first layer, own or both of the others",
                row.reads,
            )
            _expect(
                not (dense and row.type != "dense"),
                f"{place}.type: dense after a dense layer",
                row.type,
            )
            dense = row.type == "dense"
        for row in hidden:
            _expect(row.tower == "each", f"layers.{row.name}.tower: each", row.tower)
        place = f"layers.{last.name}"
        _expect(last.type == "dense", f"{place}.type: dense, of the last layer", last.type)
        _expect(not last.ops, f"{place}.ops: none, after the last layer", ", ".join(last.ops))
        _expect(last.tower != "each", f"{place}.tower: a or b, of the last layer", last.tower)
        _expect(
            last.reads != "own" or self.towers == 1,
            f"{place}.reads: both, of the last layer of two towers",
            last.reads,
        )
        return self

    @model_validator(mode="after")
    def _settings_are_used(self) -> NetworkSpec:
        used = operations_of(self.layers)
        for row in self.layers:
            pool = getattr(row, "pool", None)
            _expect(
                pool is None or "pool" in row.ops,
                f"layers.{row.name}.pool: null, as the layer has no pool",
                str(pool),
            )
        for op in OPERATIONS_WITH_SETTINGS:
            given = getattr(self, op)
            _expect(given is not None or op not in used, f"{op}: settings, which a layer uses")
            _expect(
                given is None or op in used,
                f"{op}: null, as no layer of {self.variant} has it",
                str(given),
            )
        return self


OPERATIONS_WITH_SETTINGS = ("lrn", "spatial_norm", "pool", "dropout")


def operations_of(layers: Iterable[Layer]) -> set[str]:
    """All that any layer does after its weights with the network's settings."""
    return {
        op
        for layer in layers
        for op in layer.ops
        if op != "pool" or getattr(layer, "pool", None) is None
    }


def _expect(condition: bool, expected: str, received: str = "null") -> None:
    if not condition:
        place, colon, what = expected.rpartition(": ")
        raise ValueError(f"{place}{colon}expected {what}; received {received}")
