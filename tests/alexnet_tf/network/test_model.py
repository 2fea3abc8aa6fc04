"""Every variant as a model: counts, shapes, order, initial weights, towers, saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf.errors import GeometryError
from alexnet_tf.network import model as network_model
from alexnet_tf.network.geometry import geometry, total_parameters
from alexnet_tf.network.initial import initial_stds
from alexnet_tf.network.operations import LRN, Pool
from alexnet_tf.network.spec import VARIANTS
from alexnet_tf.network.structure import Conv
from alexnet_tf.network.weights import weights_of
from tests.alexnet_tf.network.reference_pairs import Pair, reference_net, relative_error, spec_of
from tests.reference import network as reference
from tests.reference.variants import weight_shapes

PARAMETERS = {  # with 1000 classes
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
LAYERS = {  # both towers together
    "original": [34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000],
    "one-tower": [17_472, 153_728, 221_376, 331_968, 442_624, 37_752_832, 16_781_312, 4_097_000],
}
TINY = {"width": 1 / 24, "num_classes": 7, "input_size": 64}


def shapes_of(model) -> dict[str, tuple[int, ...]]:
    return {weight.name: tuple(weight.variable.shape) for weight in weights_of(model)}


def test_every_variant_is_counted():
    assert set(PARAMETERS) == set(VARIANTS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_and_shapes_at_full_width(name):
    """By arithmetic: no weight is made. The models' own shapes are compared below."""
    spec = VARIANTS[name]
    assert total_parameters(spec) == PARAMETERS[name]
    expected = weight_shapes(reference_net(name), size=spec.input_size)
    assert sum(int(np.prod(shape)) for shape in expected.values()) == PARAMETERS[name]
    if name in LAYERS:
        assert [row.parameters * row.towers for row in geometry(spec)] == LAYERS[name]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_model_has_the_shapes_of_arithmetic_and_of_the_reference(name):
    spec = spec_of(name, **TINY)
    model = network_model.build(spec)
    assert model.count_params() == total_parameters(spec)
    assert shapes_of(model) == weight_shapes(reference_net(name), 1 / 24, 7, 64)
    outputs = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    for row in geometry(spec):
        for suffix in ("_a", "_b") if row.towers == 2 else ("",):
            wide = (row.size_conv, row.size_conv) if isinstance(row.layer, Conv) else ()
            assert outputs[row.layer.name + suffix] == (*wide, row.units)
            last = row.layer.ops[-1:]
            if last and last[0] != "lrn":
                side = (row.size_out, row.size_out) if isinstance(row.layer, Conv) else ()
                assert outputs[f"{row.layer.name}_{last[0]}{suffix}"] == (*side, row.units)


@pytest.fixture(scope="module")
def full():
    """The whole net 145, 61 million weights."""
    return network_model.build(VARIANTS["original"])


def test_full_width_sizes_of_net_145(full):
    """The table of the 2012 layer file, tower by tower."""
    assert full.count_params() == PARAMETERS["original"]
    outputs = {layer.name: tuple(layer.output.shape[1:]) for layer in full.layers}
    for tower in "ab":
        assert outputs[f"conv1_{tower}"] == (55, 55, 48)
        assert outputs[f"conv1_pool_{tower}"] == (27, 27, 48)
        assert outputs[f"conv2_{tower}"] == (27, 27, 128)
        assert outputs[f"conv2_spatial_norm_{tower}"] == (27, 27, 128)
        assert outputs[f"conv2_pool_{tower}"] == (13, 13, 128)
        assert outputs[f"conv3_both_{tower}"] == (13, 13, 256)
        assert outputs[f"conv3_{tower}"] == outputs[f"conv4_{tower}"] == (13, 13, 192)
        assert outputs[f"conv5_pool_{tower}"] == (6, 6, 128)
        assert outputs[f"fc6_flat_{tower}"] == (9216,)
        assert outputs[f"fc7_both_{tower}"] == (4096,)
    assert outputs["fc8"] == (1000,)


SIGMAS = {
    "paper": dict.fromkeys(("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"), 0.01),
    "original": {"conv1": 0.01, "conv2": 0.01, "conv3": 0.03, "conv4": 0.03, "conv5": 0.03},
    "caffenet": {"conv1": 0.01, "fc6": 0.005, "fc7": 0.005, "fc8": 0.01},
}
BIASES = {
    "paper": {"conv1": 0, "conv2": 1, "conv3": 0, "conv4": 1, "conv5": 1, "fc6": 1, "fc8": 0},
    "original": {"conv1": 0, "conv2": 1, "conv3": 0, "conv4": 1, "conv5": 1, "fc7": 1, "fc8": 0},
    "caffenet": {"conv1": 0, "conv2": 1, "conv3": 0, "conv4": 1, "conv5": 1, "fc6": 1, "fc8": 0},
    "bvlc": {"conv1": 0, "conv2": 0.1, "conv3": 0, "conv4": 0.1, "conv5": 0.1, "fc6": 0.1},
}


@pytest.mark.parametrize("name", ["paper", "original", "one-tower", "no-crosstalk", "caffenet"])
def test_initial_weights_are_plain_gaussians(name):
    """Mean and standard deviation within five standard errors; nothing is truncated at 2σ."""
    model = network_model.build(spec_of(name, width=1 / 8, num_classes=100, input_size=128))
    expected = SIGMAS.get(name, SIGMAS["original"])
    for weight in weights_of(model):
        if weight.kind == "kernel" and weight.layer in expected:
            values = np.ravel(weight.variable.numpy()).astype(np.float64)
            sigma, count = expected[weight.layer], values.size
            assert abs(values.mean()) < 5 * sigma / count**0.5
            assert abs(values.std() / sigma - 1) < 5 / (2 * count) ** 0.5, weight.name
            if count > 2000:  # of a Gaussian, 4.55 % lie beyond 2σ
                beyond = np.mean(np.abs(values) > 2 * sigma)
                assert abs(beyond - 0.0455) < 5 * (0.0455 / count) ** 0.5, weight.name


@pytest.mark.parametrize("name", BIASES)
def test_initial_biases(name):
    model = network_model.build(spec_of(name, **TINY))
    for weight in weights_of(model):
        if weight.kind == "bias" and weight.layer in BIASES[name]:
            expected = np.float32(BIASES[name][weight.layer])
            np.testing.assert_array_equal(weight.variable.numpy(), expected, err_msg=weight.name)


def test_one_weird_trick_starts_as_pytorch_does():
    """Uniform within ±1/√fan-in, kernels and biases alike."""
    model = network_model.build(spec_of("one-weird-trick", width=1 / 4, input_size=64))
    for weight, row in zip(
        weights_of(model)[::2],
        geometry(spec_of("one-weird-trick", width=1 / 4, input_size=64)),
        strict=True,
    ):
        limit = row.fan_in**-0.5
        values = np.ravel(weight.variable.numpy())
        assert limit * 0.99 < np.abs(values).max() <= limit
        assert values.std() == pytest.approx(limit / 3**0.5, rel=0.05)


def test_towers_and_layers_start_differently_and_a_seed_alike():
    spec = spec_of("original", **TINY)
    one, same, other = (network_model.build(spec, seed=seed) for seed in (0, 0, 1))
    values = [{w.name: w.variable.numpy() for w in weights_of(m)} for m in (one, same, other)]
    assert (values[0]["conv4_a/kernel"] != values[0]["conv4_b/kernel"]).all()
    for key in values[0]:
        np.testing.assert_array_equal(values[0][key], values[1][key])
    assert (values[0]["conv1_a/kernel"] != values[2]["conv1_a/kernel"]).all()


def test_keep_variance_scales_with_the_fan_in():
    spec = spec_of("original", width=1 / 4, input_size=128, init_scaling="keep-variance")
    stds = initial_stds(spec)
    assert stds["conv1"] == 0.01  # the image has three channels at any width
    assert stds["conv2"] == pytest.approx(0.01 * 2)  # 48 → 12 maps
    assert stds["conv3"] == pytest.approx(0.03 * 2)
    assert stds["fc6"] == pytest.approx(0.01 * (9216 / (64 * 9)) ** 0.5)  # 6×6 → 3×3 as well
    assert initial_stds(spec_of("original", width=1 / 4))["fc6"] == 0.01


def grouped_logits(pair: Pair) -> tf.Tensor:
    """The same network as it is drawn with groups: one block of maps, convolutions in two groups.

    Each group of a grouped convolution sees its half of the maps; LRN runs over the whole block.
    """
    spec, weights, x = pair.spec, pair.weights, tf.constant(pair.images, tf.float64)
    for layer in spec.layers[:-1]:
        kernel, bias = (
            np.concatenate([weights[f"{layer.name}_{t}/{kind}"] for t in "ab"], axis=-1)
            for kind in ("kernel", "bias")
        )
        if isinstance(layer, Conv):
            before, after = layer.pad
            x = tf.pad(x, [[0, 0], [before, after], [before, after], [0, 0]])
            groups = x.shape[-1] // kernel.shape[2]
            parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
            x = tf.concat([tf.nn.conv2d(p, k, layer.stride, "VALID") for p, k in parts], -1)
        else:
            x = tf.reshape(x, [len(x), -1]) @ kernel
        x = x + bias
        for op in layer.ops:
            if op == "relu":
                x = tf.nn.relu(x)
            elif op == "pool":
                x = tf.nn.max_pool2d(x, 3, 2, "SAME" if x.shape[1] % 2 == 0 else "VALID")
            elif op == "lrn":
                x = tf.cast(x, tf.float32)
                x = tf.nn.local_response_normalization(x, 2, 1.0, 1e-4 / 5, 0.75)
                x = tf.cast(x, tf.float64)
    return x @ weights["fc8/kernel"] + weights["fc8/bias"]


@pytest.mark.parametrize("name", ["no-norm", "caffenet", "bvlc"])
def test_two_towers_are_grouped_convolutions(name):
    """Of norms that span both towers, or none: a norm within a tower has no grouped form."""
    pair = Pair(name, batch=2, width=1 / 12, num_classes=9, input_size=99, dropout={"rate": 0.0})
    expected = grouped_logits(pair).numpy()
    assert relative_error(pair.model(pair.images).numpy(), expected) < 1e-5


@pytest.mark.parametrize("name", ["paper", "original", "one-tower", "no-crosstalk"])
@pytest.mark.slow
def test_forward_pass_at_full_width(name, record_property):
    """224×224 images, 1000 classes, as served: against float64 NumPy."""
    pair = Pair(name, batch=2)
    expected = reference.logits(pair.net, pair.weights, pair.images)
    error = relative_error(pair.model(pair.images.astype(np.float32)).numpy(), expected)
    print(f"{name} at full width: logits {error:.1e}")
    record_property("logits", error)
    assert error < 1e-5


def test_tanh_takes_the_place_of_every_relu():
    pair = Pair("original", batch=2, activation="tanh", **TINY)
    expected = reference.logits(pair.net, pair.weights, pair.images)
    assert relative_error(pair.model(pair.images).numpy(), expected) < 1e-5
    activations = [n for n in (layer.name for layer in pair.model.layers) if "relu" in n]
    assert activations == []


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_keeps_weights_and_logits_in_float32(precision):
    wide = Pair("original", batch=2, **TINY)
    half = Pair("original", batch=2, precision=precision, **TINY)
    logits = half.model(half.images)
    assert logits.dtype == tf.float32
    assert {w.variable.dtype for w in weights_of(half.model)} == {tf.float32}
    error = relative_error(logits.numpy(), wide.model(wide.images).numpy())
    assert 1e-5 < error < (0.1 if precision == "mixed_bfloat16" else 0.01)


@pytest.mark.parametrize("name", VARIANTS)
def test_saved_and_loaded_it_is_the_same_network(name, tmp_path):
    pair = Pair(name, batch=2, **TINY)
    pair.model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert shapes_of(loaded) == shapes_of(pair.model)
    images = pair.images.astype(np.float32)
    np.testing.assert_allclose(loaded(images), pair.model(images), rtol=1e-5, atol=1e-5)
    assert [layer.get_config() for layer in loaded.layers] == [
        layer.get_config() for layer in pair.model.layers
    ]


def test_the_last_layer_is_in_the_tower_that_its_row_names():
    """Its weights belong to both, and are called so; a Placement puts each layer by its tower."""
    for tower in "ab":
        last = VARIANTS["paper"].layers[-1].model_copy(update={"tower": tower})
        spec = spec_of("paper", layers=(*VARIANTS["paper"].layers[:-1], last), **TINY)
        model = network_model.build(spec)
        assert model.layers[-1].name == "fc8"
        assert model.layers[-1].tower == model.get_layer(f"fc8_both_{tower}").tower == tower
        assert model.count_params() == total_parameters(spec)


def test_weights_are_found_by_name_and_in_order():
    model = network_model.build(spec_of("original", **TINY))
    names = [weight.name for weight in weights_of(model)]
    assert names[:4] == ["conv1_a/kernel", "conv1_a/bias", "conv1_b/kernel", "conv1_b/bias"]
    assert names[-2:] == ["fc8/kernel", "fc8/bias"]


@pytest.mark.parametrize("size", [63, 64, 67, 71, 99, 128])
def test_any_input_size_has_the_shapes_of_arithmetic(size):
    """Pools overhang at some sizes and not at others."""
    spec = spec_of("original", width=1 / 24, num_classes=3, input_size=size)
    assert network_model.build(spec).count_params() == total_parameters(spec)


def test_an_input_too_small_names_the_layer():
    with pytest.raises(GeometryError, match=r"conv2 at least .*input_size 16"):
        geometry(spec_of("non-overlapping", input_size=16))


def test_specs_refuse_what_makes_no_sense():
    with pytest.raises(ValueError, match="expected a pool size equal to the stride or one more"):
        Pool(size=5, stride=2)
    with pytest.raises(ValueError, match="lrn: expected settings"):
        spec_of("paper", lrn=None)
    with pytest.raises(ValueError, match=r"greater than or equal to 0\.000001"):
        LRN(k=0)


def test_the_two_networks_differ_where_2012_departs_from_the_text():
    """What a reader of the two values sees: nothing but the documented departures."""
    paper, original = VARIANTS["paper"].model_dump(), VARIANTS["original"].model_dump()
    differing = {key for key in paper if paper[key] != original[key]}
    assert differing == {"variant", "layers", "lrn", "spatial_norm"}
    layers = [
        (a["name"], key)
        for a, b in zip(paper["layers"], original["layers"], strict=True)
        for key in a
        if a[key] != b[key]
    ]
    assert layers == [
        ("conv1", "ops"),
        ("conv2", "ops"),
        ("conv3", "std"),
        ("conv4", "std"),
        ("conv5", "std"),
        ("conv5", "ops"),
    ]
