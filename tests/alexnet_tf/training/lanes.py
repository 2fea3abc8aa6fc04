"""Which tests run with which optimizers' library."""

import importlib.util

import pytest

from alexnet_tf.compat import KERAS_3

HAS_ADDONS = not KERAS_3 and importlib.util.find_spec("tensorflow_addons") is not None
addons_only = pytest.mark.skipif(
    not HAS_ADDONS, reason="needs TensorFlow Addons, which make test-addons installs"
)
keras_3_only = pytest.mark.skipif(not KERAS_3, reason="about Keras 3")
any_library = pytest.mark.skipif(
    not (KERAS_3 or HAS_ADDONS), reason="needs Keras 3 or TensorFlow Addons"
)
