"""A variant's network by its name, as a plain Keras model: `from alexnet_tf import AlexNet`."""

from __future__ import annotations

import keras

from alexnet_tf.config import files as config_files
from alexnet_tf.network import model as network


def AlexNet(
    variant: str = "paper",
    *,
    num_classes: int = 1000,
    seed: int = 0,
    precision: str = "float32",
    **changes,
) -> keras.Model:
    """An untrained network: a plain Keras functional model.

    Args:
        variant: a name in alexnet_tf.network.spec.VARIANTS, such as "paper", "original", "bvlc".
        num_classes: units of the last layer.
        seed: fixes the initial weights.
        precision: "float32", "mixed_bfloat16" or "mixed_float16".
        changes: other fields of NetworkSpec, such as width=0.5, input_size=128, activation="tanh".

    Returns:
        float32 [n, S, S, 3], RGB in grey levels 0…255 minus the training set's mean, to logits
        float32 [n, num_classes]. Compile it with a loss `from_logits=True`.

    Raises:
        ConfigError: no such variant or field, or a value out of range.
        GeometryError: an input too small for the network.
    """
    tree = {"variant": variant, "num_classes": num_classes, **changes}
    spec = config_files.parse({"network": tree}, "AlexNet").network
    return network.build(spec, seed=seed, precision=precision)
