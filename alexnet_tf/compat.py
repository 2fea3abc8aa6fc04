"""The one place where Keras 2.15 and Keras 3 differ for us."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import warnings
from collections.abc import Sequence

import keras
import tensorflow as tf

from alexnet_tf.config import ConfigError

ADDONS = "0.23"  # the last one
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


def addons(wanted_by: str):
    """The module tensorflow_addons.

    Args: wanted_by, the setting that needs it. Raises ConfigError: there is none, or none that
    works with this TensorFlow.
    """
    how = (
        f"{wanted_by} expects TensorFlow Addons {ADDONS}, which work with Python 3.11 and"
        " TensorFlow 2.15 alone (make .venv-addons, or pip install '.[addons]' in an environment of"
        " that Python)"
    )
    if KERAS_3:
        raise ConfigError(f"{how}; received TensorFlow {tf.__version__}, Keras {keras.__version__}")
    try:
        found = importlib.metadata.version("tensorflow-addons")
        if not found.startswith(f"{ADDONS}."):
            raise ConfigError(f"{how}; received tensorflow-addons {found}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its end, which is known
            return importlib.import_module("tensorflow_addons")
    except importlib.metadata.PackageNotFoundError as error:
        raise ConfigError(f"{how}; received none beside TensorFlow {tf.__version__}") from error
    except (ImportError, AttributeError) as error:  # built for another TensorFlow, or half of it
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"{how}; received tensorflow-addons {found}, which TensorFlow {tf.__version__} cannot"
            f" load: {reason}"
        ) from error
