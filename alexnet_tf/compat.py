"""The one place that knows versions of Keras and TensorFlow, and where they differ for us."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import json
import warnings
import zipfile
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from alexnet_tf.errors import ConfigError

ADDONS = "0.23"  # the last one
KERAS_3 = int(keras.__version__.split(".")[0]) >= 3


# Keras' first versions with an optimizer. In 3.0, a traced step forgets that an average has begun.
OPTIMIZER_SINCE = {"lamb": (3, 5), "moving-average": (3, 1)}


def versions() -> dict[str, str]:
    """What runs here, to be written down."""
    return {"tensorflow": tf.__version__, "keras": keras.__version__}


def optimizers_by_keras() -> bool:
    """Whether optimizers besides ours are Keras' own, and not TensorFlow Addons'."""
    return KERAS_3


def expect_keras_optimizer(name: str) -> None:
    """Raises ConfigError where this Keras has no such optimizer."""
    major, minor = OPTIMIZER_SINCE.get(name, (3, 0))
    if tuple(int(part) for part in keras.__version__.split(".")[:2]) < (major, minor):
        raise ConfigError(
            f"optimizer.name: {name} expects Keras {major}.{minor} or newer, received Keras"
            f" {keras.__version__}; pip install --upgrade keras"
        )


def tf_variable(variable: Any) -> tf.Variable:
    """The tf.Variable behind a layer's weight: Keras 3 wraps it, Keras 2 for autocast."""
    if KERAS_3:
        return variable.value
    return getattr(variable, "_variable", variable)


def register(cls: type) -> type:
    """Registers a class for keras.saving under this package's name (as a decorator)."""
    return keras.saving.register_keras_serializable(package="alexnet_tf")(cls)


def load_keras_file(path: str) -> keras.Model:
    """The model of a .keras file, written by either Keras if this one can read it.

    It is compiled if the saved one was and the same Keras wrote it.

    Raises ValueError: no .keras file, one of Keras 3 on Keras 2, or of Keras 2 on Keras 3.0.
    """
    version = _written_by(path)
    if keras.__version__.startswith("3.0.") and version.startswith("2."):
        raise ValueError(
            f"expected Keras 3.1 or later for a file of Keras {version}, received Keras"
            f" {keras.__version__}: {path}"
        )
    if KERAS_3 and version.startswith("2."):
        # Keras 3 has neither the module of this class nor those of the optimizers.
        with keras.saving.custom_object_scope({"Functional": keras.Model}):
            return keras.saving.load_model(path, compile=False)
    if not KERAS_3 and not version.startswith("2."):
        raise ValueError(
            f"expected a .keras file of Keras 2, received one of Keras {version}: {path}; its"
            " weights alone can be read: save_weights('NAME.weights.h5') there, load_weights here"
        )
    return keras.saving.load_model(path)


def _written_by(path: str) -> str:
    """The version of Keras that wrote a .keras file."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open("metadata.json") as file:
            return str(json.loads(file.read(10_000))["keras_version"])
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"expected a .keras file, received {path}: {error}") from error


def dtype_by_name(config: dict) -> dict:
    """A layer's configuration, with a precision policy as Keras 2 wrote it replaced by its name."""
    dtype = config.get("dtype")
    if isinstance(dtype, dict) and dtype.get("class_name") == "Policy":
        return {**config, "dtype": dtype["config"]["name"]}
    return config


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
