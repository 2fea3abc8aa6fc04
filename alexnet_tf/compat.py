"""The one place where Keras 2.15 and Keras 3 differ for us."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import keras
import tensorflow as tf

KERAS_3 = int(keras.__version__.split(".")[0]) >= 3


def tf_variable(variable) -> tf.Variable:
    """The tf.Variable behind a layer's weight: Keras 3 wraps it, Keras 2 for autocast."""
    if KERAS_3:
        return variable.value
    return getattr(variable, "_variable", variable)


def register(cls: type) -> type:
    """Registers a class for keras.saving under this package's name (as a decorator)."""
    return keras.saving.register_keras_serializable(package="alexnet_tf")(cls)


@contextlib.contextmanager
def computing_with(values: Sequence[tuple]):
    """Within it, layers compute with tensors in place of their variables.

    Args: values, of (layer, "kernel" or "bias", float32 tensor of the variable's shape).
    """
    if KERAS_3:
        mapping = [(getattr(layer, name), value) for layer, name, value in values]
        with keras.StatelessScope(state_mapping=mapping):
            yield
        return
    # Keras 2 layers read plain attributes; set past its tracking, and put back.
    kept = [(layer, name, getattr(layer, name)) for layer, name, _ in values]
    try:
        for layer, name, value in values:
            object.__setattr__(layer, name, tf.cast(value, layer.compute_dtype))
        yield
    finally:
        for layer, name, variable in kept:
            object.__setattr__(layer, name, variable)
