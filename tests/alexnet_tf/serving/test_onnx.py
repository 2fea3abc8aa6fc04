"""Networks as ONNX graphs: against float64 NumPy, by onnxruntime and by onnx' own evaluator."""

import sys

import numpy as np
import pytest

from alexnet_tf.errors import ConfigError
from alexnet_tf.evaluation.features import features_model
from alexnet_tf.network import model as network_model
from alexnet_tf.network.operations import LRN, Dropout, Pool, SpatialNorm
from alexnet_tf.network.spec import VARIANTS
from alexnet_tf.network.structure import Conv, Dense, NetworkSpec
from alexnet_tf.network.weights import weights_of
from alexnet_tf.serving import onnx_file
from tests.alexnet_tf.network import test_cifar_networks as cifar_networks
from tests.alexnet_tf.network.reference_pairs import Pair, relative_error, spec_of
from tests.reference import cifar, norms
from tests.reference import network as reference
from tests.reference.test_cifar import PARAMETERS

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx.reference import ReferenceEvaluator  # noqa: E402

from alexnet_tf.serving import onnx_norms  # noqa: E402
from alexnet_tf.serving.onnx_model import IR_VERSION  # noqa: E402
from alexnet_tf.serving.onnx_network import OnnxNetwork  # noqa: E402
from alexnet_tf.serving.onnx_nodes import OPSET, Nodes  # noqa: E402

SMALL = {"width": 1 / 12, "num_classes": 11, "input_size": 96}
TOLERANCE = 1e-5  # rounding alone: 2^-24 times what eight layers of sums add up to


def model_of(nodes: Nodes, shape: list, outputs: list[str], rank: int = 4):
    """A whole model of the nodes behind x, float32 [n, *shape]."""
    value, single = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes.nodes,
        "test",
        [value("x", single, ["n", *shape])],
        [value(name, single, [None] * rank) for name in outputs],
        list(nodes.constants.values()),
    )
    opset = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def computed(model, x: np.ndarray) -> list[np.ndarray]:
    content, cpu = model.SerializeToString(), ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(content, providers=cpu).run(None, {"x": np.float32(x)})


def network_of(spec: NetworkSpec, weights: dict[str, np.ndarray]):
    """Images [n, S, S, 3] without their mean → logits, features."""
    nodes = Nodes()
    image = nodes.add("Transpose", "x", name="image", perm=[0, 3, 1, 2])
    single = {name: np.float32(value) for name, value in weights.items()}
    outputs = OnnxNetwork(nodes, spec, single).results(image)
    return model_of(nodes, [spec.input_size, spec.input_size, 3], list(outputs), rank=2)


@pytest.mark.parametrize(
    ("name", "activation"), [*((name, "relu") for name in VARIANTS), ("paper", "tanh")]
)
def test_a_variant_is_the_float64_network(name, activation):
    pair = Pair(name, batch=2, activation=activation, **SMALL)
    model = network_of(pair.spec, pair.weights)
    logits, features = computed(model, pair.images)
    expected = reference.logits(pair.net, pair.weights, pair.images)
    assert relative_error(logits, expected) < TOLERANCE
    hidden = features_model(pair.model, pair.spec)(np.float32(pair.images), training=False)
    assert relative_error(features, hidden.numpy()) < TOLERANCE
    norms_inside = [node.op_type for node in model.graph.node].count("LRN")
    assert norms_inside == {"one-tower": 2, "caffenet": 2, "bvlc": 2}.get(
        name, 0 if pair.spec.lrn is None else 4
    )


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_cifar_network_is_the_float64_network(name):
    """Local layers, average pools, features that are maps; a whole batch, and none."""
    pair = cifar_networks.Pair(name, cifar_networks.NARROW, "float32")
    spec = pair.config.network
    model = network_of(spec, pair.weights)
    logits, features = computed(model, pair.images)
    expected = cifar.forward(name, pair.weights, pair.images)[0]
    assert relative_error(logits, expected) < TOLERANCE
    hidden = features_model(pair.model, spec)(np.float32(pair.images), training=False).numpy()
    assert relative_error(features, hidden) < TOLERANCE
    logits, features = computed(model, pair.images[:0])
    assert (logits.shape, features.shape) == ((0, 10), (0, hidden.shape[1]))


@pytest.mark.parametrize("name", ["cifar-18pct", "cifar-13pct"])
def test_another_runtime_computes_the_same(name):
    """onnx' own evaluator. Networks without LRN: of that it (1.23) computes as many maps as there
    are images in the batch."""
    pair = cifar_networks.Pair(name, cifar_networks.NARROW, "float32")
    model = network_of(pair.config.network, pair.weights)
    logits, _ = ReferenceEvaluator(model).run(None, {"x": np.float32(pair.images)})
    expected = cifar.forward(name, pair.weights, pair.images)[0]
    assert relative_error(logits, expected) < TOLERANCE


@pytest.mark.parametrize("size", range(1, 10))
@pytest.mark.parametrize("over_n", [True, False])
def test_normalization_over_maps(size, over_n):
    """Odd windows are ONNX's operator, even ones are not; wider than there are maps, too."""
    lrn = LRN(size=size, alpha=0.3, alpha_over_n=over_n, k=1.5, beta=0.7)
    nodes = Nodes()
    model = model_of(nodes, [6, 2, 3], [onnx_norms.over_maps(nodes, "x", 6, lrn, "y")])
    x = np.random.default_rng(0).normal(0, 4, (2, 6, 2, 3))
    [received] = computed(model, x)
    a = 0.3 / size if over_n else 0.3
    expected = norms.lrn(np.moveaxis(x, 1, -1), size, a, 1.5, 0.7)
    np.testing.assert_allclose(np.moveaxis(received, 1, -1), expected, rtol=1e-5)
    assert ("LRN" in [node.op_type for node in model.graph.node]) == (size % 2 == 1)


def test_normalization_over_maps_by_hand():
    """x = 1 2 3, two maps a window, the one before among them: D = 1 + 1, 1 + 5, 1 + 13."""
    nodes = Nodes()
    lrn = LRN(size=2, alpha=1.0, k=1.0, beta=1.0)
    model = model_of(nodes, [3, 1, 1], [onnx_norms.over_maps(nodes, "x", 3, lrn, "y")])
    [received] = computed(model, np.array([1, 2, 3]).reshape(1, 3, 1, 1))
    np.testing.assert_allclose(received.ravel(), [1 / 2, 2 / 6, 3 / 14], rtol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_normalization_over_space(size):
    norm = SpatialNorm(size=size, alpha=0.9, k=1.5, beta=0.7)
    nodes = Nodes()
    model = model_of(nodes, [2, 4, 4], [onnx_norms.over_space(nodes, "x", norm, "y")])
    x = np.random.default_rng(0).normal(0, 4, (2, 2, 4, 4))
    [received] = computed(model, x)
    expected = norms.spatial_norm(np.moveaxis(x, 1, -1), size, 0.9 / size**2, 1.5, 0.7)
    np.testing.assert_allclose(np.moveaxis(received, 1, -1), expected, rtol=1e-5)


@pytest.mark.parametrize("side", range(16, 22))
@pytest.mark.parametrize("kind", ["max", "average"])
def test_pools_hang_over_the_edge_and_dense_layers_are_normalized(side, kind):
    """What no shipped network has: a norm over both towers' units, and no activation."""
    spec = NetworkSpec(
        variant="mine",
        input_size=side,
        num_classes=3,
        layers=(
            Conv(name="conv1", reads="image", units=4, kernel=3, ops=("relu", "pool")),
            Dense(name="fc2", reads="both", units=6, ops=("lrn", "dropout")),
            Dense(name="fc3", reads="both", tower="b", units=3),
        ),
        pool=Pool(kind=kind, size=2 + side % 2, stride=2),
        lrn=LRN(alpha=0.1, spans="both"),
        dropout=Dropout(),
    )
    keras_model = network_model.build(spec)
    rng = np.random.default_rng(0)
    weights = {}
    for weight in weights_of(keras_model):
        weights[weight.name] = rng.normal(0, 0.3, weight.variable.shape)
        weight.variable.assign(weights[weight.name])
    images = np.float32(rng.uniform(-1, 1, (2, side, side, 3)))
    logits, features = computed(network_of(spec, weights), images)
    assert relative_error(logits, keras_model(images, training=False).numpy()) < TOLERANCE
    hidden = features_model(keras_model, spec)(images, training=False).numpy()
    assert hidden.min() < 0
    assert relative_error(features, hidden) < TOLERANCE


@pytest.mark.parametrize("missing", onnx_file.PACKAGES)
def test_a_missing_package_is_one_line(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match=rf"received no {missing}; pip install '\.\[onnx\]'"):
        onnx_file.expect_packages()


def test_a_package_that_does_not_load_is_one_line(monkeypatch, tmp_path):
    """As onnx 1.19.0 beside TensorFlow 2.15."""
    (tmp_path / "onnx.py").write_text("import math\nmath.nothing\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnx")
    with pytest.raises(ConfigError, match="one that does not load: module 'math' has no attribute"):
        onnx_file.expect_packages()


def test_what_a_file_cannot_hold_is_refused():
    """The paper's 0.24 GB are nearly 4 times that at twice the width, 64 times at eight times."""
    onnx_file.expect_size(spec_of("paper", width=2), "float32")
    with pytest.raises(ConfigError, match=r"received 14\.\d GB; --weights float16 halves"):
        onnx_file.expect_size(spec_of("paper", width=8), "float32")
    with pytest.raises(ConfigError, match=r"received 7\.\d GB$"):
        onnx_file.expect_size(spec_of("paper", width=8), "float16")
