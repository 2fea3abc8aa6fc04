"""The facts of 2012 in the reference networks: counts, sizes, order and constants, spelled out."""

import numpy as np
import pytest

from tests.reference import layers as ops
from tests.reference import network
from tests.reference.norms import lrn, spatial_norm
from tests.reference.variants import VARIANTS, parameter_count, weight_shapes

COUNTS = {
    "paper": 60_965_224,
    "original": 60_965_224,
    "one-tower": 59_798_312,
    "non-overlapping": 60_965_224,
    "no-norm": 60_965_224,
    "no-crosstalk": 60_714_408,
    "caffenet": 60_965_224,
    "bvlc": 60_965_224,
    "one-weird-trick": 61_100_840,
}
LAYERS_OF_145 = {
    "conv1": 34_944,
    "conv2": 307_456,
    "conv3": 885_120,
    "conv4": 663_936,
    "conv5": 442_624,
    "fc6": 37_752_832,
    "fc7": 16_781_312,
    "fc8": 4_097_000,
}
LAYERS_OF_145_HALF = {
    **LAYERS_OF_145,
    "conv1": 17_472,
    "conv2": 153_728,
    "conv3": 221_376,
    "conv4": 331_968,
}


def test_every_variant_is_counted():
    assert set(COUNTS) == set(VARIANTS)


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_of_the_whole_network(name):
    assert parameter_count(VARIANTS[name]) == COUNTS[name]


@pytest.mark.parametrize(
    ("name", "expected"), [("original", LAYERS_OF_145), ("one-tower", LAYERS_OF_145_HALF)]
)
def test_parameters_of_every_layer(name, expected):
    counts = dict.fromkeys(expected, 0)
    for key, shape in weight_shapes(VARIANTS[name]).items():
        counts[key.split("/")[0].split("_")[0]] += int(np.prod(shape))
    assert counts == expected


def test_keys_and_shapes():
    shapes = weight_shapes(VARIANTS["original"], width=0.1, num_classes=10)
    assert list(shapes)[:4] == ["conv1_a/kernel", "conv1_a/bias", "conv1_b/kernel", "conv1_b/bias"]
    assert shapes["conv1_a/kernel"] == (11, 11, 3, 5)  # round(4.8)
    assert shapes["conv2_b/kernel"] == (5, 5, 5, 13)
    assert shapes["conv3_b/kernel"] == (3, 3, 26, 19)
    assert shapes["fc6_a/kernel"] == (6 * 6 * 26, 205)
    assert shapes["fc8/kernel"] == (410, 10)
    assert shapes["fc8/bias"] == (10,)
    assert "conv1/kernel" in weight_shapes(VARIANTS["one-tower"])


SIZES = {
    # Height of every operation's input, in order, from the image to pool3's.
    "original": [224, 55, 55, 27, 27, 27, 27, 27, 27, 13, 13, 13, 13, 13, 13],
    "non-overlapping": [224, 55, 55, 28, 28, 26, 26, 26, 26, 13, 13, 13, 13, 13, 11],
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_at_224(name):
    net = VARIANTS[name]
    weights = network.random_weights(weight_shapes(net, width=1 / 48, num_classes=3), 0)
    _, trace = network.forward(net, weights, np.ones((1, 224, 224, 3)))
    heights = [inputs[0].shape[1] for _, _, _, inputs, _ in trace if inputs[0].ndim == 4]
    assert heights[: len(SIZES[name])] == SIZES[name]
    fc6 = next(inputs for layer, _, _, inputs, _ in trace if layer.name == "fc6")
    assert fc6[0].shape == (1, 6 * 6 * 2 * round(256 / 48 / 2))


def below_conv3(name: str, conv1, conv2):
    """What a tower of each network hands to conv3, written out line by line.

    ``conv1`` takes the padded image; ``conv2(x, padding)`` takes maps.
    """
    relu, pool = ops.relu, ops.max_pool
    if name == "paper":
        x = pool(lrn(relu(conv1), 5, 1e-4, 2.0, 0.75), 3, 2)
        return pool(lrn(relu(conv2(x, 2)), 5, 1e-4, 2.0, 0.75), 3, 2)
    if name == "non-overlapping":
        x = relu(pool(lrn(conv1, 5, 2e-5, 2.0, 0.75), 2, 2))
        x = spatial_norm(lrn(relu(conv2(x, 1)), 5, 2e-5, 2.0, 0.75), 5, 4e-5, 1.0, 0.75)
        return pool(x, 2, 2)
    if name == "no-norm":
        return pool(relu(conv2(relu(pool(conv1, 3, 2)), 2)), 3, 2)
    x = relu(pool(lrn(conv1, 5, 2e-5, 2.0, 0.75), 3, 2))
    x = spatial_norm(lrn(relu(conv2(x, 2)), 5, 2e-5, 2.0, 0.75), 5, 4e-5, 1.0, 0.75)
    return pool(x, 3, 2)


def handed_to_conv3(name: str, size: int = 64):
    net = VARIANTS[name]
    weights = network.random_weights(weight_shapes(net, 1 / 6, 3, size), 1)
    images = np.random.default_rng(2).uniform(-120, 130, (2, size, size, 3))
    _, trace = network.forward(net, weights, images)
    conv3 = next(inputs for layer, _, _, inputs, _ in trace if layer.name == "conv3")
    return weights, np.pad(images, ((0, 0), (0, 3), (0, 3), (0, 0))), conv3


@pytest.mark.parametrize(
    ("name", "towers", "cross_talk"),
    [
        ("paper", ["_a", "_b"], True),
        ("original", ["_a", "_b"], True),
        ("one-tower", [""], True),
        ("non-overlapping", ["_a", "_b"], True),
        ("no-norm", ["_a", "_b"], True),
        ("no-crosstalk", ["_a", "_b"], False),
    ],
)
def test_order_and_constants_below_conv3(name, towers, cross_talk):
    weights, padded, conv3 = handed_to_conv3(name)

    def tower(t: str):
        kernel, bias = weights[f"conv2{t}/kernel"], weights[f"conv2{t}/bias"]
        return below_conv3(
            name,
            ops.conv2d(padded, weights[f"conv1{t}/kernel"], weights[f"conv1{t}/bias"], 4),
            lambda x, padding: ops.conv2d(x, kernel, bias, 1, padding),
        )

    expected = [tower(t) for t in towers]
    if cross_talk:
        expected = [np.concatenate(expected, axis=-1)] * len(towers)
    for actual, wanted in zip(conv3, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-12)


@pytest.mark.parametrize("name", ["caffenet", "bvlc"])
def test_caffe_normalizes_over_both_groups_with_k_1(name):
    weights, padded, conv3 = handed_to_conv3(name)

    def both(layer: str, x, stride: int, padding: int):
        return np.concatenate(
            [
                ops.conv2d(
                    part,
                    weights[f"{layer}{t}/kernel"],
                    weights[f"{layer}{t}/bias"],
                    stride,
                    padding,
                )
                for part, t in zip(x, ("_a", "_b"), strict=True)
            ],
            axis=-1,
        )

    def norm_and_pool(x):
        if name == "caffenet":
            return lrn(ops.max_pool(x, 3, 2), 5, 1e-4 / 5, 1.0, 0.75)
        return ops.max_pool(lrn(x, 5, 1e-4 / 5, 1.0, 0.75), 3, 2)

    x = norm_and_pool(ops.relu(both("conv1", [padded, padded], 4, 0)))
    x = norm_and_pool(ops.relu(both("conv2", np.split(x, 2, axis=-1), 1, 2)))
    for actual in conv3:
        np.testing.assert_allclose(actual, x, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "form", "layers"),
    [
        ("paper", "2012", ["fc6", "fc7"]),
        ("original", "2012", ["fc6", "fc7"]),
        ("caffenet", "inverted", ["fc6", "fc7"]),
        ("one-weird-trick", "inverted", ["conv5", "fc6"]),  # torchvision: before fc6 and fc7
    ],
)
def test_dropout_follows_these_layers_alone(name, form, layers):
    net = VARIANTS[name]
    assert net.dropout == form
    assert [x.name for x in net.layers if "dropout" in x.after] == layers
