"""The reference networks themselves: gradients, and what the towers see."""

import dataclasses

import numpy as np
import pytest

from tests.reference import network
from tests.reference.complex_step import along
from tests.reference.layers import softmax_cross_entropy
from tests.reference.variants import VARIANTS, Net, weight_shapes

# A complex step leaves rounding alone, at most 1.1e-16 for each term of a sum. The longest sum, of
# a bias of conv1, has 3 images x 15 x 15 places; a derivative passes through 8 layers and back.
ROUNDING = 1.1e-16 * 675 * 16  # 1.2e-12
SMALL = {"width": 1 / 24, "num_classes": 7, "size": 64}


def small(name: str, seed: int = 0, batch: int = 3, **changes):
    net = dataclasses.replace(VARIANTS[name], **changes)
    shapes = weight_shapes(net, **SMALL)
    weights = network.random_weights(shapes, seed)
    rng = np.random.default_rng(seed + 1)
    images = rng.uniform(-120, 130, (batch, SMALL["size"], SMALL["size"], 3))
    return net, weights, images, rng.integers(0, SMALL["num_classes"], batch)


def directional_errors(net: Net, weights, images, labels, masks) -> dict[str, float]:
    """Relative error of the gradient of each weight, along a random direction."""
    _, gradients = network.loss_and_gradients(net, weights, images, labels, masks)
    errors = {}
    for key, weight in weights.items():
        direction = np.random.default_rng(5).normal(size=weight.shape)
        direction /= np.linalg.norm(direction)

        def loss(t: complex, moved=key, by=direction) -> complex:
            out = network.logits(net, {**weights, moved: weights[moved] + t * by}, images, masks)
            return softmax_cross_entropy(out, labels)[0]

        gradient = gradients[key]
        errors[key] = abs(along(loss) - (gradient * direction).sum()) / np.linalg.norm(gradient)
    return errors


@pytest.mark.parametrize("name", VARIANTS)
def test_gradient_of_every_weight_against_complex_steps(name):
    net, weights, images, labels = small(name)
    masks = network.dropout_masks(net, weight_shapes(net, **SMALL), len(images), seed=3)
    errors = directional_errors(net, weights, images, labels, masks)
    assert errors.keys() == weights.keys()
    assert {key: error for key, error in errors.items() if not error < ROUNDING} == {}


def test_gradient_with_tanh_and_at_test_time():
    net, weights, images, labels = small("paper", activation="tanh")
    errors = directional_errors(net, weights, images / 100, labels, None)
    assert errors.keys() == weights.keys()
    assert {key: error for key, error in errors.items() if not error < ROUNDING} == {}


def in_one_tower(net: Net, weights: dict) -> tuple[Net, dict]:
    """The same function as one tower: what a tower does not see becomes zeros in its kernel."""
    merged = {}
    for layer in net.layers[:-1]:
        a, b = (weights[f"{layer.name}_{tower}/kernel"] for tower in "ab")
        if layer.sees == "own":
            zeros_a, zeros_b = np.zeros_like(a), np.zeros_like(b)
            a, b = np.concatenate([a, zeros_b], -2), np.concatenate([zeros_a, b], -2)
        merged[f"{layer.name}/kernel"] = np.concatenate([a, b], -1)
        merged[f"{layer.name}/bias"] = np.concatenate(
            [weights[f"{layer.name}_{tower}/bias"] for tower in "ab"]
        )
    merged |= {key: weights[key] for key in ("fc8/kernel", "fc8/bias")}
    return dataclasses.replace(net, towers=("",)), merged


@pytest.mark.parametrize("name", ["no-norm", "non-overlapping", "caffenet", "bvlc"])
def test_two_towers_are_one_with_zeros_where_they_do_not_see(name):
    """Holds the order a, b everywhere. LRN is off or runs over both towers' maps."""
    net, weights, images, _ = small(name, lrn_across_towers=True)
    expected = network.logits(net, weights, images)
    one, merged = in_one_tower(net, weights)
    np.testing.assert_allclose(network.logits(one, merged, images), expected, rtol=1e-11)


def test_norms_of_2012_do_not_cross_towers():
    net, weights, images, _ = small("original")
    alone = network.logits(net, weights, images)
    across = network.logits(dataclasses.replace(net, lrn_across_towers=True), weights, images)
    assert np.abs(alone - across).max() > 1e-3 * np.abs(alone).max()


@pytest.mark.parametrize(("name", "seen"), [("original", True), ("no-crosstalk", False)])
def test_only_cross_talk_carries_tower_b_to_tower_a(name, seen):
    net, weights, images, _ = small(name)
    changed = {**weights, "conv1_b/kernel": weights["conv1_b/kernel"] * 0.5}
    hidden = []
    for version in (weights, changed):
        _, trace = network.forward(net, version, images)
        hidden.append(trace[-1][3][0])  # fc8's input, [N, units of a and b]
    half = hidden[0].shape[1] // 2
    assert bool((hidden[0][:, :half] != hidden[1][:, :half]).any()) is seen
    assert (hidden[0][:, half:] != hidden[1][:, half:]).any()


def test_relu_before_or_after_a_maximum_is_the_same_but_lrn_on_signed_values_is_not():
    net, weights, images, _ = small("no-norm")
    layers = list(net.layers)
    layers[0] = dataclasses.replace(layers[0], after=("act", "pool"))
    swapped = dataclasses.replace(net, layers=tuple(layers))
    expected = network.logits(net, weights, images)
    np.testing.assert_array_equal(network.logits(swapped, weights, images), expected)

    net, weights, images, _ = small("original")
    layers = list(net.layers)
    layers[0] = dataclasses.replace(layers[0], after=("act", "lrn", "pool"))
    swapped = dataclasses.replace(net, layers=tuple(layers))
    difference = network.logits(swapped, weights, images) - network.logits(net, weights, images)
    assert np.abs(difference).max() > 1e-3


def test_dropout_of_2012_halves_at_test_time_only():
    net, weights, images, _ = small("original")
    none = dataclasses.replace(net, dropout="none")
    shapes = weight_shapes(net, **SMALL)
    keep_all = {key: np.ones_like(m) for key, m in network.dropout_masks(net, shapes, 3, 0).items()}
    assert set(keep_all) == {"fc6_a", "fc6_b", "fc7_a", "fc7_b"}
    np.testing.assert_array_equal(
        network.logits(net, weights, images, keep_all), network.logits(none, weights, images)
    )
    halved = dict(weights)
    for key in ("fc7_a/kernel", "fc7_b/kernel", "fc8/kernel"):
        halved[key] = weights[key] * 0.5
    np.testing.assert_allclose(
        network.logits(net, weights, images), network.logits(none, halved, images), rtol=1e-12
    )


def test_full_width_forward_pass():
    """The whole net 145 on images of 224 x 224; an image does not depend on its batch."""
    net = VARIANTS["original"]
    shapes = weight_shapes(net)
    weights = network.random_weights(shapes, 0)
    images = np.random.default_rng(1).uniform(-120, 130, (2, 224, 224, 3))
    out = network.logits(net, weights, images)
    assert out.shape == (2, 1000)
    assert out.std() > 0.1
    np.testing.assert_allclose(network.logits(net, weights, images[1:]), out[1:], rtol=1e-10)


def test_the_nearest_kink_by_hand():
    """A ReLU at 0.3 from 0, then a maximum that leads by 0.1; zeros of a ReLU do not count."""
    net = dataclasses.replace(VARIANTS["no-norm"], pool=(2, 2))
    x = np.array([[-0.3, 0.6, 0.0, 0.0], [0.5, 0.4, 0.0, -9.0]]).reshape(1, 2, 4, 1)
    rms = np.sqrt((x**2).mean())
    layer = net.layers[0]
    steps = [(layer, "act", ("conv1_a",), [x], None), (layer, "pool", ("conv1_a",), [x], None)]
    assert network.nearest_kink(net, steps[:1]) == pytest.approx(0.3 / rms)
    assert network.nearest_kink(net, steps) == pytest.approx(0.1 / rms)
    tanh = dataclasses.replace(net, activation="tanh")
    assert network.nearest_kink(tanh, steps[:1]) == np.inf
