"""Settings, with bounds, of what layers do after their weights: norms, pools, dropout."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=1e-12, le=1e12)]  # with room to spare in float32
NotNegative = Annotated[float, Field(ge=0, le=1e12)]


class Settings(BaseModel):
    """Immutable; refuses unknown fields, infinite numbers, and true or false for a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, given: Any) -> Any:
        for name, value in given.items() if isinstance(given, dict) else ():
            field = cls.model_fields.get(name)
            if field is not None and field.annotation is not bool and _holds_truth(value):
                raise ValueError(f"{name}: expected no true or false, received {value!r:.100}")
        return given


def _holds_truth(value: Any) -> bool:
    """Whether it is true or false, or a list that holds one; sections look at their own."""
    if isinstance(value, dict):
        return any(_holds_truth(v) for v in value.values() if isinstance(v, list | tuple))
    return isinstance(value, bool) or (
        isinstance(value, list | tuple) and any(map(_holds_truth, value))
    )


class LRN(Settings):
    """Cross-map normalization y = x / (k + a·Σ x²)^beta over `size` neighboring maps of a tower.

    a is `alpha`, or alpha / size where `alpha_over_n` says so (the 2012 parser and Caffe divide;
    the paper's formula does not). `spans: both` lets the window cross from tower a into tower b,
    as in Caffe, whose layers hold both groups in one block of maps.
    """

    size: int = Field(5, ge=1, le=255)  # n: maps in the sum, the middle one among them
    alpha: NotNegative = 1e-4  # factor of the sum, or of the mean
    alpha_over_n: bool = False  # whether it is of the mean
    spans: Literal["tower", "both"] = "tower"  # whose maps the sum may hold
    k: float = Field(2.0, ge=1e-6, le=1e6)  # added to the sum
    beta: float = Field(0.75, ge=0, le=4)  # the power


class SpatialNorm(Settings):
    """Within-map normalization y = x / (k + alpha/size²·Σ x²)^beta over windows (net 145)."""

    size: int = Field(5, ge=1, le=255)  # a window's side, in pixels
    alpha: NotNegative = 1e-3  # factor of the mean
    k: float = Field(1.0, ge=1e-6, le=1e6)  # added to it
    beta: float = Field(0.75, ge=0, le=4)  # the power


class Pool(Settings):
    """Pooling; a last window may hang over the bottom/right edge, as in the 2012 code."""

    # The maximum, or the average over the positions that lie in the map.
    kind: Literal["max", "average"] = "max"
    size: int = Field(3, ge=1, le=512)  # a window's side: the stride or one more
    stride: int = Field(2, ge=1, le=2)  # pixels between windows
    # Of maxima: whose gradient it is where several pixels of a window are its maximum. first: that
    # of the first (TensorFlow); all: of each of them (2012).
    ties: Literal["first", "all"] = "first"

    @model_validator(mode="after")
    def _overhang(self) -> Pool:
        if self.size - self.stride not in (0, 1):  # else TensorFlow's "same" pads other edges
            raise ValueError(
                f"expected a pool size equal to the stride or one more, received size {self.size}"
                f" with stride {self.stride}"
            )
        if self.kind == "average" and self.ties == "all":
            raise ValueError("expected ties of maxima alone, received all beside kind average")
        return self


class Dropout(Settings):
    """`inverted: false` is 2012's: mask, unscaled, in training; ×(1 − rate) in test passes."""

    rate: float = Field(0.5, ge=0, le=0.999)  # share of units that are set to 0 in training
    inverted: bool = False  # whether the others are divided by 1 − rate then
