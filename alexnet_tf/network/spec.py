"""The variants of AlexNet as data: one typed structure, several values, no code paths.

`paper` is the network as the NIPS 2012 text describes it; `original` is net 145 of the 2012 source.
Whatever separates them is a field here, so the two values can be read side by side or compared.
Unit counts are of both towers together, as the paper gives them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Op = Literal["relu", "lrn", "spatial_norm", "pool", "dropout"]
REFERENCE_CLASSES = 1000


class Frozen(BaseModel):
    """Immutable, and refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LRN(Frozen):
    """Cross-map normalization y = x / (k + a·Σ x²)^beta over `size` neighboring maps of a tower.

    a is `alpha`, or alpha / size where `alpha_over_n` says so (the 2012 parser and Caffe divide;
    the paper's formula does not). `spans: both` lets the window cross from tower a into tower b,
    as in Caffe, whose layers hold both groups in one block of maps.
    """

    size: int = Field(5, ge=1)
    alpha: float = Field(1e-4, ge=0)
    alpha_over_n: bool = False
    spans: Literal["tower", "both"] = "tower"
    k: float = Field(2.0, gt=0)
    beta: float = Field(0.75, ge=0)


class SpatialNorm(Frozen):
    """Within-map normalization y = x / (k + alpha/size²·Σ x²)^beta over windows (net 145)."""

    size: int = Field(5, ge=1)
    alpha: float = Field(1e-3, ge=0)
    k: float = Field(1.0, gt=0)
    beta: float = Field(0.75, ge=0)


class Pool(Frozen):
    """Max pooling; a last window may hang over the bottom/right edge, as in the 2012 code."""

    size: int = Field(3, ge=1)
    stride: int = Field(2, ge=1, le=2)

    @model_validator(mode="after")
    def _overhang(self) -> Pool:
        if self.size - self.stride not in (0, 1):  # else TensorFlow's "same" pads other edges
            raise ValueError(
                f"expected a pool size equal to the stride or one more, received size {self.size}"
                f" with stride {self.stride}"
            )
        return self


class Dropout(Frozen):
    """`inverted: false` is 2012's: mask, unscaled, in training; ×(1 − rate) in test passes."""

    rate: float = Field(0.5, ge=0, lt=1)
    inverted: bool = False


class Layer(Frozen):
    """One of the eight: weights, then `ops` in order. `kernel` 0 makes it fully connected."""

    name: str
    units: int = Field(ge=1)
    kernel: int = Field(0, ge=0)
    stride: int = Field(1, ge=1)
    pad: tuple[int, int] = (0, 0)  # zeros before (top, left) and after (bottom, right)
    sees: Literal["own", "both"] = "own"
    ops: tuple[Op, ...] = ()
    std: float = Field(0.01, gt=0)
    bias: float = 0.0

    @property
    def is_conv(self) -> bool:
        return self.kernel > 0


class NetworkSpec(Frozen):
    """Everything that defines a network's function and its initial weights."""

    variant: str
    layers: tuple[Layer, ...]
    input_size: int = Field(224, ge=16)
    num_classes: int = Field(REFERENCE_CLASSES, ge=2)
    width: float = Field(1.0, gt=0, le=8)
    towers: Literal[1, 2] = 2
    activation: Literal["relu", "tanh"] = "relu"
    lrn: LRN | None = LRN()
    spatial_norm: SpatialNorm | None = None
    pool: Pool = Pool()
    dropout: Dropout = Dropout()
    # normal: N(0, std²), biases as listed. fan-in-uniform: PyTorch's default, ±1/√fan-in for both.
    initializer: Literal["normal", "fan-in-uniform"] = "normal"
    # The listed σ suit full width at the variant's own input size. keep-variance multiplies each by
    # √(full fan-in / fan-in), so that a narrow network starts with the full one's activations.
    init_scaling: Literal["fixed", "keep-variance"] = "fixed"

    @property
    def tower_names(self) -> tuple[str, ...]:
        return ("a", "b") if self.towers == 2 else ("",)

    def units_per_tower(self, layer: Layer) -> int:
        """Units of one tower after `width`; the last layer is the classes, and on tower a alone."""
        if layer is self.layers[-1]:
            return self.num_classes
        return max(1, round(layer.units * self.width / self.towers))

    @model_validator(mode="after")
    def _consistent(self) -> NetworkSpec:
        used = {op for layer in self.layers for op in layer.ops}
        for op in ("lrn", "spatial_norm"):
            if op in used and getattr(self, op) is None:
                raise ValueError(f"expected settings for {op}, which a layer uses; received null")
        return self


def _layers(**changes: dict) -> tuple[Layer, ...]:
    """The paper's eight layers with the named ones changed."""
    paper = (
        Layer(name="conv1", units=96, kernel=11, stride=4, pad=(0, 3), ops=("relu", "lrn", "pool")),
        Layer(name="conv2", units=256, kernel=5, pad=(2, 2), ops=("relu", "lrn", "pool"), bias=1),
        Layer(name="conv3", units=384, kernel=3, pad=(1, 1), sees="both", ops=("relu",)),
        Layer(name="conv4", units=384, kernel=3, pad=(1, 1), ops=("relu",), bias=1),
        Layer(name="conv5", units=256, kernel=3, pad=(1, 1), ops=("relu", "pool"), bias=1),
        Layer(name="fc6", units=4096, sees="both", ops=("relu", "dropout"), bias=1),
        Layer(name="fc7", units=4096, sees="both", ops=("relu", "dropout"), bias=1),
        Layer(name="fc8", units=REFERENCE_CLASSES, sees="both"),
    )
    return tuple(Layer(**{**layer.model_dump(), **changes.get(layer.name, {})}) for layer in paper)


def _as_run_in_2012(**changes: dict) -> dict:
    """Net 145: what the released source computes where the paper's text says otherwise."""
    layers = {
        "conv1": {"ops": ("lrn", "pool", "relu")},
        "conv2": {"ops": ("relu", "lrn", "spatial_norm", "pool")},
        "conv3": {"std": 0.03},
        "conv4": {"std": 0.03},
        "conv5": {"std": 0.03, "ops": ("pool", "relu")},
    }
    for name, change in changes.items():
        layers[name] = {**layers.get(name, {}), **change}
    return {
        "layers": _layers(**layers),
        "lrn": LRN(alpha=1e-4, alpha_over_n=True),
        "spatial_norm": SpatialNorm(),
    }


def _caffe(bias: float, norm_and_pool: tuple[Op, Op]) -> dict:
    """Caffe's models/bvlc_*/train_val.prototxt: groups are our towers, but the norm spans both."""
    start = {"bias": bias}
    fully = {**start, "std": 0.005}
    return {
        "layers": _layers(
            conv1={"pad": (0, 0), "ops": ("relu", *norm_and_pool)},
            conv2={**start, "ops": ("relu", *norm_and_pool)},
            conv4=start,
            conv5=start,
            fc6=fully,
            fc7=fully,
        ),
        "input_size": 227,
        "lrn": LRN(alpha=1e-4, alpha_over_n=True, k=1.0, spans="both"),
        "dropout": Dropout(inverted=True),
    }


_OWN = {"sees": "own"}

VARIANTS: dict[str, NetworkSpec] = {
    spec.variant: spec
    for spec in (
        NetworkSpec(variant="paper", layers=_layers()),
        NetworkSpec(variant="original", **_as_run_in_2012()),
        NetworkSpec(  # net 145-half, the paper's one-GPU comparison
            variant="one-tower",
            towers=1,
            **_as_run_in_2012(
                conv1={"units": 48},
                conv2={"units": 128},
                conv3={"units": 192},
                conv4={"units": 192},
                conv5={"units": 256},
            ),
        ),
        NetworkSpec(  # net 147
            variant="non-overlapping",
            pool=Pool(size=2, stride=2),
            **_as_run_in_2012(conv2={"pad": (1, 1)}, conv5={"pad": (0, 0)}),
        ),
        NetworkSpec(  # net 148: every norm dropped, the unpublished one too
            variant="no-norm",
            layers=_as_run_in_2012(
                conv1={"ops": ("pool", "relu")}, conv2={"ops": ("relu", "pool")}
            )["layers"],
            lrn=None,
        ),
        NetworkSpec(  # net 150: the towers meet only at fc8
            variant="no-crosstalk",
            **_as_run_in_2012(
                conv2={"units": 320}, conv3=_OWN, fc6={**_OWN, "units": 8192}, fc7=_OWN
            ),
        ),
        NetworkSpec(variant="caffenet", **_caffe(bias=1.0, norm_and_pool=("pool", "lrn"))),
        NetworkSpec(variant="bvlc", **_caffe(bias=0.1, norm_and_pool=("lrn", "pool"))),
        NetworkSpec(  # arXiv:1404.5997 in the sizes and with the initial weights of torchvision
            variant="one-weird-trick",
            towers=1,
            lrn=None,
            dropout=Dropout(inverted=True),
            initializer="fan-in-uniform",
            layers=_layers(
                conv1={"units": 64, "pad": (2, 2), "ops": ("relu", "pool")},
                conv2={"units": 192, "ops": ("relu", "pool")},
                conv4={"units": 256},
                conv5={"ops": ("relu", "pool", "dropout")},
                fc7={"ops": ("relu",)},
            ),
        ),
    )
}
