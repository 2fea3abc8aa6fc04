"""configs/cifar-*.yaml against cuda-convnet's facts and float64 NumPy."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf import step_context
from alexnet_tf.compat import tf_variable
from alexnet_tf.config import files as config_files
from alexnet_tf.network import model as network_model
from alexnet_tf.network.geometry import total_parameters
from alexnet_tf.network.initial import initial_stds
from alexnet_tf.network.local import LocallyConnected2D
from alexnet_tf.network.weights import weights_of
from alexnet_tf.training.schedule import Schedule
from tests.alexnet_tf.network.reference_pairs import relative_error, worst
from tests.alexnet_tf.training.one_device import Trainer, batch, strategy
from tests.reference import cifar, update
from tests.reference.network import random_weights
from tests.reference.test_cifar import PARAMETERS

CONFIGS = Path(__file__).parents[3] / "configs"
NARROW = 1 / 8


def config_of(name: str, *overrides: str):
    return config_files.load(CONFIGS / f"{name}.yaml", ["network.num_classes=10", *overrides])


class Pair:
    """A network and its float64 reference, with the same weights, images and labels."""

    def __init__(self, name: str, width: float, precision: str, seed: int = 0):
        self.name, self.config = name, config_of(name, f"network.width={width}")
        self.model = network_model.build(self.config.network, precision=precision)
        rng = np.random.default_rng(seed + 1)
        size = self.config.network.input_size
        self.images = np.float32(rng.uniform(-120, 130, (2, size, size, 3))).astype(np.float64)
        self.labels = rng.integers(0, 10, 2)
        weights = random_weights(self.shapes(width), seed)
        weights["fc10/kernel"] /= cifar.forward(name, weights, self.images)[0].std()
        self.weights = {key: np.float32(w).astype(np.float64) for key, w in weights.items()}
        for weight in weights_of(self.model):
            weight.variable.assign(self.weights[weight.name])

    def shapes(self, width: float) -> dict:
        return cifar.weight_shapes(self.name, width)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_names_and_shapes(name):
    spec = config_of(name).network
    assert total_parameters(spec) == PARAMETERS[name]
    model = network_model.build(spec)
    shapes = {weight.name: tuple(weight.variable.shape) for weight in weights_of(model)}
    assert shapes == cifar.weight_shapes(name)
    assert model.count_params() == PARAMETERS[name]
    other = 24 if spec.input_size == 32 else 32
    at_other = {"cifar-80sec": 116_906, "cifar-19pct": 85_098, "cifar-18pct": 85_098}
    at_other |= {"cifar-13pct": 1_901_386, "cifar-11pct": 3_672_906}
    resized = config_of(name, f"network.input_size={other}").network
    assert total_parameters(resized) == at_other[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_initial_weights_and_decays(name):
    config = config_of(name)
    stds = initial_stds(config.network)
    for layer, (std, decay) in cifar.STDS_AND_DECAYS[name].items():
        assert stds[layer] == std
        assert config.optimizer.decay_of(layer, "kernel") == decay
        assert config.optimizer.decay_of(layer, "bias") == 0
    assert {row.bias for row in config.network.layers} == {0}
    assert set(stds) == set(cifar.STDS_AND_DECAYS[name])


@pytest.mark.parametrize(
    ("name", "epochs", "kernels", "biases"),
    [
        ("cifar-80sec", 10, {0: 1e-3, 8: 1e-4}, {0: 2e-3, 8: 2e-4}),
        ("cifar-19pct", 140, {0: 1e-3, 120: 1e-4, 130: 1e-5}, {0: 2e-3, 120: 2e-4, 130: 2e-5}),
        ("cifar-18pct", 140, {0: 1e-3, 120: 1e-4, 130: 1e-5}, {0: 2e-3, 120: 2e-4, 130: 2e-5}),
        ("cifar-13pct", 160, {0: 1e-3, 140: 1e-4, 150: 1e-5}, {0: 2e-3}),
        ("cifar-11pct", 520, {0: 1e-3, 500: 1e-4, 510: 1e-5}, {0: 2e-3}),
    ],
)
def test_rates(name, epochs, kernels, biases):
    config = config_of(name)
    schedule = Schedule(config)
    assert config.training.epochs == epochs
    for epoch in range(epochs):
        for kind, values in (("kernel", kernels), ("bias", biases)):
            expected = values[max(begin for begin in values if begin <= epoch)]
            for row in config.network.layers:
                assert schedule.rate(row.name, kind, epoch, 0.5) == pytest.approx(expected)


@pytest.mark.parametrize("name", PARAMETERS)
def test_logits_loss_and_every_gradient(name):
    """At full width, in float64."""
    pair = Pair(name, 1.0, "float64")
    weights = weights_of(pair.model)
    with tf.GradientTape() as tape:
        logits = pair.model(tf.constant(pair.images), training=True)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(pair.labels, logits)
        loss = tf.reduce_mean(losses)
    found = tape.gradient(loss, [weight.variable for weight in weights])
    gradients = {weight.name: g.numpy() for weight, g in zip(weights, found, strict=True)}
    expected_loss, expected = cifar.loss_and_gradients(name, pair.weights, pair.images, pair.labels)
    error = relative_error(logits.numpy(), cifar.forward(name, pair.weights, pair.images)[0])
    gradient_error, key = worst(gradients, expected)
    print(f"{name}: logits {error:.1e} gradients {gradient_error:.1e} ({key})")
    assert error < 1e-12
    assert float(loss) == pytest.approx(expected_loss, rel=1e-12)
    assert gradient_error < 1e-12, key


@pytest.mark.parametrize("name", PARAMETERS)
def test_weights_after_three_updates(name):
    """Each layer's own decay; rates of weights and biases differ, and fall."""
    with strategy().scope():
        pair = Pair(name, NARROW, "float32")
        trainer = Trainer(strategy(), pair.model, pair.config.optimizer)
    decays = {layer: decay for layer, (_, decay) in cifar.STDS_AND_DECAYS[name].items()}
    weights, velocity = pair.weights, update.zero_velocity(pair.weights)
    first = cifar.loss_and_gradients(name, weights, pair.images, pair.labels)[1]
    kernels = [key for key in first if key.endswith("/kernel")]
    rate = 0.05 * min(np.abs(weights[k]).max() / np.abs(first[k]).max() for k in kernels)
    rows, losses = [], []
    for kernel_rate, bias_rate in ((rate, 2 * rate), (rate, rate), (rate / 10, rate / 10)):
        rates = update.learning_rates(weights, kernel_rate, bias_rate)
        rates = {key: float(np.float32(value)) for key, value in rates.items()}
        rows.append([rates[weight.name] for weight in trainer.optimizer.weights])
        _, trace = cifar.forward(name, weights, pair.images)
        assert cifar.nearest_kink(trace) > 1e-5
        loss, gradients = cifar.loss_and_gradients(name, weights, pair.images, pair.labels)
        losses.append(loss)
        updated, moved = {}, {}
        for layer, decay in decays.items():
            own = [f"{layer}/kernel", f"{layer}/bias"]
            parts = ({key: tree[key] for key in own} for tree in (weights, velocity, gradients))
            new, new_velocity = update.momentum_update(*parts, rates, decay=decay)
            updated, moved = {**updated, **new}, {**moved, **new_velocity}
        weights, velocity = updated, moved
    sums = trainer.run([batch(pair.images, pair.labels)] * 3, rows)
    assert [row[0] / row[3] for row in sums] == pytest.approx(losses, rel=1e-5)
    error, key = worst(trainer.weights, weights)
    print(f"{name}: weights after three updates {error:.1e} ({key})")
    assert error < 1e-5, key


@pytest.mark.parametrize("name", ["cifar-18pct", "cifar-11pct"])
def test_saved_and_loaded_it_is_the_same_network(name, tmp_path):
    pair = Pair(name, NARROW, "float32")
    pair.model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = pair.images.astype(np.float32)
    np.testing.assert_allclose(loaded(images), pair.model(images), rtol=1e-5, atol=1e-6)
    assert [a.get_config() for a in loaded.layers] == [a.get_config() for a in pair.model.layers]


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_local_layer_in_half_precision(precision):
    half, wide = (Pair("cifar-13pct", NARROW, p) for p in (precision, "float32"))
    assert half.model.get_layer("local3").output.dtype == precision.removeprefix("mixed_")
    error = relative_error(half.model(half.images).numpy(), wide.model(wide.images).numpy())
    assert 1e-5 < error < 0.1


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(("size", "stride", "pad"), [(3, 1, 1), (3, 2, 1), (5, 1, 2), (1, 2, 0)])
def test_a_local_layers_gradients_in_float64(fused, size, stride, pad):
    """Both ways of adding up what a place gave to several windows; at 1/2 some gave nothing."""
    rng = np.random.default_rng(0)
    layer = LocallyConnected2D(4, size, stride, (pad, pad), dtype="float64")
    x = rng.normal(size=(3, 7, 7, 2))
    shape = layer(x).shape
    kernel, bias = (rng.normal(size=variable.shape) for variable in (layer.kernel, layer.bias))
    layer.set_weights([kernel, bias])
    g = rng.normal(size=shape)

    @tf.function
    def computed(x):
        with step_context.using(fused=fused), tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        by = [x, *(tf_variable(variable) for variable in (layer.kernel, layer.bias))]
        return [y, *tape.gradient(y, by, tf.constant(g))]

    expected = [
        cifar.local2d(x, kernel, bias, size, stride, pad),
        *cifar.local2d_backward(g, x, kernel, size, stride, pad),
    ]
    for received, wanted in zip(computed(tf.constant(x)), expected, strict=True):
        np.testing.assert_allclose(received, wanted, rtol=1e-12, atol=1e-12)


def test_a_local_layer_refuses_what_makes_no_sense():
    with pytest.raises(ValueError, match="expected units, size and stride of at least 1"):
        LocallyConnected2D(4, 0)
    layer = LocallyConnected2D(4, 3, 2, (0, 1), name="local")
    assert layer.compute_output_shape((None, 8, 7, 3)) == (None, 4, 3, 4)
    assert layer(tf.zeros([2, 8, 7, 3])).shape == (2, 4, 3, 4)


def test_two_towers_of_local_layers_are_placed_and_counted_alike():
    """Cross-talk into the local layers, each tower with its own."""
    overrides = ["network.towers=2", "network.layers.local3.reads=both"]
    spec = config_of("cifar-13pct", *overrides, "network.layers.fc10.reads=both").network
    model = network_model.build(spec)
    assert model.count_params() == total_parameters(spec)
    assert {model.get_layer(f"local3_{t}").tower for t in "ab"} == {"a", "b"}
