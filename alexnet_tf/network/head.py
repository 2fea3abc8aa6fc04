"""A network for other classes: `from alexnet_tf import new_head`."""

from __future__ import annotations

import keras


def new_head(
    model: keras.Model, num_classes: int, *, freeze: bool = True, seed: int = 0
) -> keras.Model:
    """The model with a fresh last layer, for other classes; the other layers are shared.

    Args:
        freeze: train the new layer only (sets the other layers' `trainable`).
        seed: fixes the new layer's initial weights, N(0, 0.01²) as in the paper.

    Raises ValueError for less than two classes.
    """
    if num_classes < 2:
        raise ValueError(f"expected at least two classes. Received: num_classes={num_classes}")
    for layer in model.layers[:-1]:
        layer.trainable = not freeze
    head = keras.layers.Dense(
        num_classes,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01, seed=seed),
        dtype="float32",
        name="head",
    )
    return keras.Model(model.input, head(model.layers[-1].input), name=f"{model.name}_new_head")
