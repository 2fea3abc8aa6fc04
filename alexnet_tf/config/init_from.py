"""Settings of fine-tuning."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from alexnet_tf.network.operations import Settings


class InitFromConfig(Settings):
    """Fine-tuning: weights to begin with instead of drawn ones. Read once, when a run begins.

    The network must be that of the weights but for its classes, dropout and initial values, and
    its mean (data.mean, data.mean_rgb) that of their images.
    """

    path: str | None = None  # a run directory, or a file of weights (.pth, .npz, .safetensors, .h5)
    format: Literal["torchvision", "caffe"] | None = None  # of a file
    # Whether the last layer is drawn anew. A file's classes have no names: they are others if they
    # are more or fewer.
    new_head: Literal["if-other-classes", "always", "never"] = "if-other-classes"
    frozen: tuple[str, ...] = ()  # layers that keep these weights: no update, no decay

    @model_validator(mode="after")
    def _of_something(self) -> InitFromConfig:
        if self.path is None and (self.format or self.frozen):
            raise ValueError("path: expected a run directory or a file beside the other settings")
        return self
