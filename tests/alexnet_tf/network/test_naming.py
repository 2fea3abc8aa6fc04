"""One grammar of names: what was put together comes apart; a model's layers are called so."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf.network import model as network_model
from alexnet_tf.network import naming
from alexnet_tf.network.weights import weights_of
from tests.alexnet_tf.network.reference_pairs import spec_of

LAYERS = st.from_regex(naming.LAYER_PATTERN, fullmatch=True)


def test_by_hand():
    assert naming.weight("conv1", "a", "kernel") == "conv1_a/kernel"
    assert naming.weight("fc8", "", "bias") == "fc8/bias"
    assert naming.operation("conv5", "pool", "b") == "conv5_pool_b"
    assert naming.operation("conv5", "pool", "") == "conv5_pool"
    assert naming.layer_and_kinds("conv1") == ("conv1", ("kernel", "bias"))
    assert naming.layer_and_kinds("conv1/bias") == ("conv1", ("bias",))


@given(LAYERS, st.sampled_from(["a", "b", ""]), st.sampled_from(naming.KINDS))
def test_names_come_apart_as_they_were_put_together(layer, tower, kind):
    assert naming.layer_and_tower(naming.of_tower(layer, tower)) == (layer, tower)
    assert naming.layer_and_kinds(naming.rate_key(layer, kind)) == (layer, (kind,))
    assert naming.weight(layer, tower, kind).split("/") == [naming.of_tower(layer, tower), kind]


@pytest.mark.parametrize("name", ["conv_1", "a/b", "", "Conv1", "1conv", "x" * 33, "conv1\n"])
def test_what_would_not_come_apart_is_no_layers_name(name):
    assert not re.fullmatch(naming.LAYER_PATTERN, name)


def test_a_models_weights_and_operations_have_these_names():
    model = network_model.build(spec_of("original", width=1 / 24, num_classes=7, input_size=64))
    for weight in weights_of(model):
        layer, tower = weight.layer, weight.tower
        assert model.get_layer(naming.of_tower(layer, tower)).kernel.shape
    assert {layer.name for layer in model.layers} >= {
        naming.operation(layer, op, tower)
        for layer, op in [("conv1", "pad"), ("conv1", "lrn"), ("fc6", "flat"), ("fc7", "both")]
        for tower in "ab"
    }
