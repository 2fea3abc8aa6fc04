"""A preset's weights, from weights.npz into a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alexnet_tf.errors import ConfigError
from alexnet_tf.foreign_weights.files import open_arrays
from alexnet_tf.network.weights import Weight
from alexnet_tf.runs.preset_files import WEIGHTS, damaged, verify


def restore(directory: Path, weights: Sequence[Weight]) -> None:
    """Sets a network's weights to those of a preset.

    Whoever wrote it may also have written its checksums: names, shapes and types are compared
    before an array is read. Raises RunError: damaged, or of another network than it describes.
    """
    verify(directory)
    try:
        with open_arrays(directory / WEIGHTS) as stored:
            strange = sorted({weight.name for weight in weights} ^ set(stored))
            if strange:
                raise ValueError(f"{WEIGHTS} and the network of config.yaml differ in {strange[0]}")
            for weight in weights:
                expected = "float32", tuple(weight.variable.shape)
                received = stored[weight.name].dtype, stored[weight.name].shape
                if expected != received:
                    raise ValueError(f"expected {weight.name} of {expected}, received {received}")
            for weight in weights:
                array = stored[weight.name].read()
                if not np.isfinite(array).all():
                    raise ValueError(f"expected finite numbers in {weight.name}")
                weight.variable.assign(array)
    except (ConfigError, ValueError) as error:
        raise damaged(directory, ValueError(str(error).removeprefix("--input: "))) from error
