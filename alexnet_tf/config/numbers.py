"""Numbers with bounds, and values that change from epoch to epoch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1, le=10**6)]  # of epochs, steps, examples, …
Every = Annotated[int, Field(ge=1, le=10**9)]  # so many steps
Warmup = Annotated[float, Field(ge=0, le=10**6)]  # epochs
GreyLevel = Annotated[float, Field(ge=0, le=255)]
Rate = Annotated[float, Field(gt=0, le=1e6)]
# Values by epoch: each holds from the start of its epoch on. Epochs count from 0 and ascend.
EpochValues = tuple[tuple[int, Annotated[float, Field(allow_inf_nan=True)]], ...]  # see ascending


def ascending(values: EpochValues) -> EpochValues:
    """The values, if they ascend and are within bounds. ValueError for others."""
    epochs = [epoch for epoch, _ in values]
    if epochs != sorted(set(epochs)) or any(not 0 <= epoch <= 10**6 for epoch in epochs):
        raise ValueError(f"expected ascending epochs from 0 to 1000000, received {epochs}")
    if not all(0 <= value <= 1e6 for _, value in values):
        raise ValueError("expected finite values from 0 to 1000000")
    return values


def from_zero(values: EpochValues) -> EpochValues:
    """The values, if there is one from the first epoch on. ValueError for others."""
    if not values or values[0][0] != 0:
        raise ValueError("expected the first step at epoch 0")
    return values
