"""The one place where Keras 2.15 and Keras 3 differ for us."""

from __future__ import annotations

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
