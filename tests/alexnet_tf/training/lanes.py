"""Which optimizers the installed libraries have, and marks for tests that need one."""

import importlib.util

import keras
import pytest

from alexnet_tf.compat import KERAS_3, OPTIMIZER_SINCE
from alexnet_tf.config.schema import LambConfig, OptimizerConfig

HAS_ADDONS = not KERAS_3 and importlib.util.find_spec("tensorflow_addons") is not None
VERSION = tuple(int(part) for part in keras.__version__.split(".")[:2])
addons_only = pytest.mark.skipif(not HAS_ADDONS, reason="needs TensorFlow Addons: make test-addons")
keras_3_only = pytest.mark.skipif(not KERAS_3, reason="about Keras 3")


def supported(config: OptimizerConfig) -> bool:
    if config.name == "momentum" or HAS_ADDONS:
        return True
    alone = config.name == "lookahead" or getattr(config, "decay", None) == "in-ratio"
    return not alone and OPTIMIZER_SINCE.get(config.name, (3, 0)) <= VERSION


def needs(config: OptimizerConfig) -> pytest.MarkDecorator:
    reason = f"{config.name} needs TensorFlow Addons (make test-addons) or another Keras"
    return pytest.mark.skipif(not supported(config), reason=reason)


needs_lamb = needs(LambConfig())
