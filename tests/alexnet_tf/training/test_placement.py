"""Where the towers live: read from the graphs that the runtime made and ran, and the variables.

The 2012 split: tower a, and fc8, on the first device of a pair, tower b on the second. Activations
cross into conv3, fc6, fc7 and fc8 only, gradients come back the same way, and nothing else but the
images, row numbers, seeds and rates goes from device to device.
"""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.alexnet_tf.training.lanes import needs_lamb
from tests.alexnet_tf.training.processes import finish, start, two_workers, write_inputs

CONFIGS = Path(__file__).parents[3] / "configs"
HOST = "/job:localhost/replica:0/task:0/device:CPU:"
# "gradients/" marks the backward pass, "replica_1/" the second replica; Keras 3 counts calls.
IN_LAYER = re.compile(
    r"(?:replica_\d+/)?(?P<back>gradients/)?(?:replica_\d+/)?alexnet_(?:paper|cifar_13pct)"
    r"(?:_\d+)?/(?P<layer>(?:conv|local|fc)\d\w*?)(?:_\d+)?/"
)
HEAVY = ("Conv", "MatMul", "MaxPool", "BiasAdd", "Rsqrt", "Relu", "StatelessRandomUniform")
# Into conv3, fc6, fc7 (either way) and into fc8, which stands on tower a's device.
FORWARD_A = {"conv2_pool_a", "conv5_pool_a", "fc6_dropout_a"}
FORWARD_B = {"conv2_pool_b", "conv5_pool_b", "fc6_dropout_b", "fc7_dropout_b"}
BACKWARD_A = {"conv3_both_a", "fc6_both_a", "fc7_both_a", "fc8_both_a"}
BACKWARD_B = {"conv3_both_b", "fc6_both_b", "fc7_both_b"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def pair(inputs, tmp_path_factory) -> dict:
    return trace(inputs, tmp_path_factory.mktemp("pair"), 2, "one-device")


@pytest.fixture(scope="module")
def two_pairs(inputs, tmp_path_factory) -> dict:
    return trace(inputs, tmp_path_factory.mktemp("pairs"), 4, "mirrored")


@pytest.fixture(params=["pair", pytest.param("two_pairs", marks=pytest.mark.slow)])
def placed(request) -> tuple[dict, str, str]:
    """What was traced, and the first and the second device of each pair."""
    devices = {"pair": ("0", "1"), "two_pairs": ("01", "23")}
    return request.getfixturevalue(request.param), *devices[request.param]


def trace(inputs, path, cpus: int, name: str, *settings: str) -> dict:
    settings = [f"strategy.name={name}", "strategy.placement=two-tower", *settings]
    finish(start(["placement", str(path / "found"), *inputs, *settings], cpus))
    return json.loads((path / "found").read_text())


def tower(layer: str) -> str:
    return "b" if layer.endswith("_b") else "a"


def crossings(found: dict, source: str, target: str) -> tuple[set, set, set]:
    """What is sent: layers' outputs, layers' gradients, and the rest by name."""
    forward, backward, rest = [], [], set()
    for sender, receiver, tensor in found["sent"]:
        if (sender, receiver) == (source, target):
            layer = IN_LAYER.match(tensor)
            if layer:
                (backward if layer["back"] else forward).append(layer["layer"])
            else:
                rest.add(re.sub(r"_\d+", "", tensor.removeprefix("replica_1/")))
    assert max(Counter(forward + backward).values(), default=1) == 1  # nothing is sent twice
    return set(forward), set(backward), rest


def test_variables_and_velocities_are_on_their_towers_devices(placed):
    found, *devices = placed
    assert len(found["variables"]) == 30
    for name, where in found["variables"].items():
        own = [HOST + i for i in devices[tower(name.partition("/")[0]) == "b"]]
        assert where == [own] * 2, name


@pytest.mark.slow
@needs_lamb
def test_a_library_optimizers_variables_are_there_too(inputs, tmp_path):
    found = trace(inputs, tmp_path, 4, "mirrored", "optimizer.name=lamb")
    for name, placed in found["variables"].items():
        own = [f"{HOST}{i}" for i in ([0, 1], [2, 3])[tower(name.partition("/")[0]) == "b"]]
        assert placed == [own] * 4, name  # itself, its steps, its two moments


def test_forward_and_backward_operations_are_on_their_towers_devices(placed):
    found, *devices = placed
    seen = Counter()
    for name, operation, device in found["nodes"]:
        layer = IN_LAYER.match(name)
        if not layer:
            assert not operation.lstrip("_").startswith(HEAVY), f"{name} belongs to no layer"
            continue
        if operation.startswith(("Identity", "_Send", "_Recv")):
            continue  # what leaves a tower does so on that tower's device
        replica = int(name.startswith("replica_1/"))
        assert device == HOST + devices[tower(layer["layer"]) == "b"][replica], name
        seen[bool(layer["back"]), operation.lstrip("_").startswith(HEAVY), device] += 1
    # Forward and backward, heavy operations on every device: the loop above has met them.
    assert len([key for key in seen if key[1]]) == 2 * len("".join(devices))


def test_a_pairs_cross_device_edges_are_exactly_the_papers(pair):
    forward, backward, rest = crossings(pair, HOST + "0", HOST + "1")
    assert (forward, backward) == (FORWARD_A, BACKWARD_A)
    # The batch's bytes and draws, as one conversion made them: flip, crop, noise, offset, row; the
    # coefficient of noise, the dropout seed, and a rate for each weight.
    batch = {"IteratorGetNext", *(f"IteratorGetNext:{i}" for i in (1, 3, 4, 5))}
    assert batch - {"IteratorGetNext:4"} <= rest  # offsets are needed where the mean follows them
    assert rest <= {*batch, "noise", "seed", "strided_slice"}
    forward, backward, rest = crossings(pair, HOST + "1", HOST + "0")
    assert (forward, backward) == (FORWARD_B, BACKWARD_B)
    assert all("CrossDeviceControlEdges" in name for name in rest)  # only "done"


@pytest.mark.slow
def test_pairs_exchange_nothing_but_sums_of_gradients_within_a_tower(two_pairs):
    for a, b in (("0", "2"), ("1", "3")):
        assert crossings(two_pairs, HOST + a, HOST + b)[:2] == (FORWARD_A, BACKWARD_A)
        assert crossings(two_pairs, HOST + b, HOST + a)[:2] == (FORWARD_B, BACKWARD_B)
    for a, b in (("0", "3"), ("1", "2"), ("2", "1"), ("3", "0")):
        forward, backward, rest = crossings(two_pairs, HOST + a, HOST + b)
        assert not forward | backward
        inputs = {"seed", "noise", "placeholder", "strided_slice"}  # of the step, and the rates
        assert all(name in inputs or "Control" in name for name in rest)
    # Sums of gradients are collectives, on the devices of their towers.
    summed = Counter(device for _, op, device in two_pairs["nodes"] if op == "CollectiveReduceV2")
    assert set(summed) == {HOST + i for i in "0123"}


@pytest.mark.slow
def test_a_worker_is_a_pair(inputs, tmp_path):
    settings = ["strategy.name=multi-worker", "strategy.placement=two-tower"]
    files = [tmp_path / "0", tmp_path / "1"]
    verbs = [["placement", str(file), *inputs, *settings] for file in files]
    for process in two_workers(verbs, 2):
        finish(process)
    for worker, file in enumerate(files):
        found = json.loads(file.read_text())
        a, b = (f"/job:worker/replica:0/task:{worker}/device:CPU:{i}" for i in (0, 1))
        for name, (weight, velocity) in found["variables"].items():
            assert weight == velocity == [b if tower(name.partition("/")[0]) == "b" else a]
        assert crossings(found, a, b)[:2] == (FORWARD_A, BACKWARD_A)
        assert crossings(found, b, a)[:2] == (FORWARD_B, BACKWARD_B)
        summed = {device for _, op, device in found["nodes"] if op == "CollectiveReduceV2"}
        assert summed == {a, b}


@pytest.mark.slow
def test_local_layers_are_split_as_the_towers_are(inputs, tmp_path):
    """13pct in two towers, whose local layers read both: their gathers, sums of what a place gave
    to several windows, products and kernels, each on its tower's device.
    """
    _, data = inputs
    both = ["network.layers.local3.reads=both", "network.layers.fc10.reads=both"]
    settings = ["network.towers=2", "network.width=0.25", "data.cache=none", *both]
    config = (str(CONFIGS / "cifar-13pct.yaml"), data)
    found = trace(config, tmp_path, 2, "one-device", "training.global_batch_size=8", *settings)
    seen = Counter()
    for name, operation, device in found["nodes"]:
        layer = IN_LAYER.match(name)
        if layer and layer["layer"].startswith("local") and not operation.startswith("_Recv"):
            if not operation.startswith("_Send"):
                assert device == f"{HOST}{int(tower(layer['layer']) == 'b')}", name
            seen[operation.removeprefix("_Mkl"), device] += 1
    for operation in ("GatherV2", "SparseSegmentSumWithNumSegments"):
        assert [seen[operation, f"{HOST}{i}"] for i in (0, 1)] == [2, 2]  # local3 and local4
    for name, placed in found["variables"].items():
        own = [f"{HOST}{int(tower(name.partition('/')[0]) == 'b')}"]
        assert placed == [own] * 2, name
    forward, backward, _ = crossings(found, HOST + "0", HOST + "1")
    assert (forward, backward) == ({"conv2_pool_a"}, {"local3_both_a", "fc10_both_a"})
    forward, backward, _ = crossings(found, HOST + "1", HOST + "0")
    assert (forward, backward) == ({"conv2_pool_b", "local4_relu_b"}, {"local3_both_b"})
