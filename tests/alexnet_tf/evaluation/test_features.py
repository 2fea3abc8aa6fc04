"""Features beside the layer that they are of."""

import keras
import numpy as np
import pytest

from alexnet_tf.config import files as config_files
from alexnet_tf.evaluation.features import features_model
from alexnet_tf.network import model as network


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("cifar-80sec", ["fc64_relu"]),
        ("cifar-18pct", ["conv3_relu"]),  # maps: once they made visualize fail
        ("paper", ["fc7_relu_a", "fc7_relu_b"]),
    ],
)
def test_features_are_the_last_hidden_layers_units(name, layers):
    width = ["network.width=0.05", "network.input_size=64"] if name == "paper" else []
    spec = config_files.load(name, width).with_classes(10).network
    model = network.build(spec, seed=1)
    size = spec.input_size
    images = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype(np.float32) * 50
    features = features_model(model, spec)(images, training=False).numpy()
    outputs = [model.get_layer(layer).output for layer in layers]
    values = keras.Model(model.input, outputs)(images, training=False)
    values = values if isinstance(values, list) else [values]
    expected = np.concatenate([value.numpy().reshape(2, -1) for value in values], axis=1)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)
    assert features.any()
