"""Weights in torchvision's and Caffe's layouts: the imported network is the one they came from."""

import re
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from alexnet_tf import evaluate, export, import_weights, load_run, train, visualize
from alexnet_tf.config import files as config_files
from alexnet_tf.errors import ConfigError, RunError
from alexnet_tf.foreign_weights.formats import LAYOUTS, expected_shapes
from alexnet_tf.network.spec import VARIANTS
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.restore import restored_model
from preprocessing.dataset.info import ClassName
from tests import tiny_datasets
from tests.deadlines import SECONDS
from tests.reference import layers as ops
from tests.reference import norms

safetensors_numpy = pytest.importorskip("safetensors.numpy")

CLASSES, WIDTH = 4, 1 / 24
SIZES = {"torchvision": 64, "caffe": 99}
TORCHVISION = {  # at full width and with 1000 classes, as torchvision's state_dict lists them
    "features.0.weight": (64, 3, 11, 11),
    "features.0.bias": (64,),
    "features.3.weight": (192, 64, 5, 5),
    "features.3.bias": (192,),
    "features.6.weight": (384, 192, 3, 3),
    "features.6.bias": (384,),
    "features.8.weight": (256, 384, 3, 3),
    "features.8.bias": (256,),
    "features.10.weight": (256, 256, 3, 3),
    "features.10.bias": (256,),
    "classifier.1.weight": (4096, 9216),
    "classifier.1.bias": (4096,),
    "classifier.4.weight": (4096, 4096),
    "classifier.4.bias": (4096,),
    "classifier.6.weight": (1000, 4096),
    "classifier.6.bias": (1000,),
}
CAFFE = {  # kernels of bvlc_reference_caffenet; conv2, conv4 and conv5 have two groups
    "conv1/0": (96, 3, 11, 11),
    "conv2/0": (256, 48, 5, 5),
    "conv3/0": (384, 256, 3, 3),
    "conv4/0": (384, 192, 3, 3),
    "conv5/0": (256, 192, 3, 3),
    "fc6/0": (4096, 9216),
    "fc7/0": (4096, 4096),
    "fc8/0": (1000, 4096),
}


def test_shapes_at_full_width():
    assert expected_shapes(LAYOUTS["torchvision"], VARIANTS["one-weird-trick"]) == TORCHVISION
    for variant in ("caffenet", "bvlc"):
        shapes = expected_shapes(LAYOUTS["caffe"], VARIANTS[variant])
        assert {k: v for k, v in shapes.items() if k.endswith("/0")} == CAFFE
        assert shapes["conv2/1"] == (256,)


def overrides(layout: str) -> list[str]:
    return [f"network.width={WIDTH}", f"network.input_size={SIZES[layout]}"]


def random_arrays(layout: str) -> dict[str, np.ndarray]:
    """An AlexNet of random weights in a foreign layout; logits are of the order of 1."""
    tree = {"network": {"variant": LAYOUTS[layout].variants[0], "num_classes": CLASSES}}
    for override in overrides(layout):
        tree = config_files.merge(tree, config_files.parse_override(override))
    rng = np.random.default_rng(0)
    arrays = {}
    for key, shape in expected_shapes(LAYOUTS[layout], config_files.parse(tree).network).items():
        fan_in = np.prod(shape[1:]) if len(shape) > 1 else 100
        arrays[key] = rng.normal(0, 1.4 / fan_in**0.5, shape).astype(np.float32)
    if layout == "caffe":  # its pixels reach ±128
        arrays["conv1/0"] /= 64
    return arrays


def convolution(x, kernel, bias, stride=1, pad=0):
    """[n, c, h, w] with [out, in, h, w], as both libraries define it."""
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(x, kernel.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwij,ocij->nohw", windows, kernel, optimize=True) + bias[:, None, None]


def pooled(x):
    return ops.max_pool(x.transpose(0, 2, 3, 1), 3, 2).transpose(0, 3, 1, 2)


def torchvision_logits(weights, images):
    def layer(name):
        return weights[f"{name}.weight"].astype(np.float64), weights[f"{name}.bias"]

    x = (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    x = x.transpose(0, 3, 1, 2)
    x = pooled(ops.relu(convolution(x, *layer("features.0"), 4, 2)))
    x = pooled(ops.relu(convolution(x, *layer("features.3"), 1, 2)))
    for number in (6, 8, 10):
        x = ops.relu(convolution(x, *layer(f"features.{number}"), 1, 1))
    x = pooled(x).reshape(len(x), -1)
    for number in (1, 4, 6):
        kernel, bias = layer(f"classifier.{number}")
        x = x @ kernel.T + bias
        x = ops.relu(x) if number < 6 else x
    return x


def caffenet_logits(weights, images):
    def grouped(x, name, groups, stride=1, pad=0):
        kernel, bias = weights[f"{name}/0"].astype(np.float64), weights[f"{name}/1"]
        split = [np.split(a, groups, axis) for a, axis in ((x, 1), (kernel, 0), (bias, 0))]
        parts = zip(*split, strict=True)
        return np.concatenate([convolution(*part, stride, pad) for part in parts], axis=1)

    def norm(x):
        return norms.lrn(x.transpose(0, 2, 3, 1), 5, 1e-4 / 5, 1.0, 0.75).transpose(0, 3, 1, 2)

    x = images[..., ::-1] - [104.00698793, 116.66876762, 122.67891434]  # BGR
    x = x.transpose(0, 3, 1, 2)
    x = norm(pooled(ops.relu(grouped(x, "conv1", 1, 4))))
    x = norm(pooled(ops.relu(grouped(x, "conv2", 2, 1, 2))))
    x = ops.relu(grouped(x, "conv3", 1, 1, 1))
    x = ops.relu(grouped(x, "conv4", 2, 1, 1))
    x = pooled(ops.relu(grouped(x, "conv5", 2, 1, 1))).reshape(len(x), -1)
    for name in ("fc6", "fc7", "fc8"):
        x = x @ weights[f"{name}/0"].astype(np.float64).T + weights[f"{name}/1"]
        x = ops.relu(x) if name != "fc8" else x
    return x


LOGITS = {"torchvision": torchvision_logits, "caffe": caffenet_logits}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("data")
    tiny_datasets.write(directory, classes=CLASSES, size=104)
    return directory


def write(path, arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".safetensors":
        safetensors_numpy.save_file(arrays, path)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[f"data/{name}"] = array  # as Caffe's snapshots, with gradients beside them
                file[f"diff/{name}"] = np.zeros_like(array)
    return path


def arguments(layout, path, data, run, *more):
    return [
        *("--format", layout, "--input", str(path), "--data", str(data), "--run", str(run)),
        *overrides(layout),
        *more,
    ]


@pytest.mark.parametrize(
    ("layout", "suffix"),
    [("torchvision", ".safetensors"), ("torchvision", ".npz"), ("caffe", ".h5"), ("caffe", ".npz")],
)
def test_the_imported_network_is_the_foreign_one(layout, suffix, data, tmp_path, capsys):
    weights = random_arrays(layout)
    path = write(tmp_path / f"weights{suffix}", weights)
    assert import_weights.main(arguments(layout, path, data, tmp_path / "run")) == 0
    assert "imported" in capsys.readouterr().out
    model, transform = restored_model(run_directory.load(tmp_path / "run"))
    size = SIZES[layout]
    images = np.random.default_rng(1).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    x = transform.centered(images, tf.zeros([3, 2], tf.int32), tf.fill([3], False))
    expected = LOGITS[layout](weights, images.astype(np.float64))
    assert expected.std() > 0.05
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=2e-5 * np.abs(expected).max())


@pytest.mark.slow
def test_a_run_directory_that_the_other_verbs_accept(data, tmp_path, capsys):
    """Evaluated, exported and trained on; the first step is that of a new run."""
    path, run = write(tmp_path / "weights.npz", random_arrays("torchvision")), tmp_path / "run"
    short = ["training.epochs=1", "training.global_batch_size=10", "monitoring.every_epochs=0"]
    importing = arguments("torchvision", path, data, run, *short)
    assert import_weights.main(importing) == 0
    assert evaluate.main(["--run", str(run), "--data", str(data)]) == 0
    assert "10 images" in capsys.readouterr().out
    drawing = ["--run", str(run), "--data", str(data), "--output", str(tmp_path / "figures")]
    assert visualize.main([*drawing, "--gallery", "10"]) == 0
    names = {"classes.png", "confusion.png", "figure3.png", "figure4.png"}  # no curves: no epochs
    assert {path.name for path in (tmp_path / "figures").iterdir()} == names
    assert export.main(["--run", str(run), "--output", str(tmp_path / "model")]) == 0
    assert tf.saved_model.contains_saved_model(str(tmp_path / "model"))
    going_on = ["--config", str(run / "config.yaml"), "--data", str(data), "--run", str(run)]
    assert train.main(going_on) == 0
    begun = capsys.readouterr().out
    assert "beginning at epoch 1, step 0 of 2" in begun
    assert re.search(r"1 replica on 1 worker \([CG]PU\)", begun)
    with pytest.raises(RunError, match=r"expected a new run directory, received .* checkpoints"):
        import_weights.main(importing)


def test_caffes_old_files_in_four_dimensions(data, tmp_path):
    arrays = random_arrays("caffe")
    old = {k: a.reshape((1,) * (4 - a.ndim) + a.shape) for k, a in arrays.items()}
    for name, content in (("new", arrays), ("old", old)):
        path = write(tmp_path / f"{name}.npz", content)
        import_weights.main(arguments("caffe", path, data, tmp_path / name))
    models = [restored_model(run_directory.load(tmp_path / name))[0] for name in ("new", "old")]
    for a, b in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def refused(layout, path, data, tmp_path, *more):
    with pytest.raises(ConfigError) as error:
        import_weights.main(arguments(layout, path, data, tmp_path / "run", *more))
    assert not (tmp_path / "run" / "config.yaml").exists()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_first_mismatch_is_named(data, tmp_path):
    arrays = random_arrays("torchvision")
    missing = {k: v for k, v in arrays.items() if k not in ("features.8.bias", "classifier.6.bias")}
    line = refused("torchvision", write(tmp_path / "a.npz", missing), data, tmp_path)
    assert "expected 'features.8.bias' in" in line
    wrong = {**arrays, "classifier.6.weight": arrays["classifier.6.weight"][:3]}
    line = refused("torchvision", write(tmp_path / "b.npz", wrong), data, tmp_path)
    assert "expected 'classifier.6.weight' of shape (4, 171)" in line
    assert "received (3, 171)" in line
    more = {**arrays, "classifier.9.weight": np.zeros((2, 2), np.float32)}
    line = refused("torchvision", write(tmp_path / "c.npz", more), data, tmp_path)
    assert "expected no array 'classifier.9.weight'" in line
    broken = {**arrays, "features.6.bias": np.full_like(arrays["features.6.bias"], np.nan)}
    line = refused("torchvision", write(tmp_path / "d.npz", broken), data, tmp_path)
    assert "expected finite numbers in 'features.6.bias'" in line
    line = refused("caffe", write(tmp_path / "e.npz", arrays), data, tmp_path)
    assert "expected 'conv1/0' in" in line
    assert "classifier.1.bias" in line


def test_another_variant_is_refused(data, tmp_path):
    path = write(tmp_path / "a.npz", random_arrays("torchvision"))
    line = refused("torchvision", path, data, tmp_path, "network.variant=paper")
    assert "expected one-weird-trick for --format torchvision, received paper" in line


class Explosive:
    """Unpickling it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_nothing_is_unpickled(data, tmp_path):
    path, mark = tmp_path / "a.npz", tmp_path / "unpickled"
    arrays = random_arrays("torchvision")
    content = np.empty(arrays["features.0.bias"].shape, object)
    content[:] = [Explosive(mark)] * content.size
    np.savez(path, **{**arrays, "features.0.bias": content})
    line = refused("torchvision", path, data, tmp_path)
    assert "expected arrays of float16, float32, float64" in line
    assert not mark.exists()


def test_a_pickle_or_other_garbage_is_refused(data, tmp_path):
    for suffix in (".npz", ".h5", ".safetensors"):
        (tmp_path / f"a{suffix}").write_bytes(b"\x80\x04garbage" * 100)
        line = refused("torchvision", tmp_path / f"a{suffix}", data, tmp_path)
        assert "is damaged, or not what its name says" in line
    (tmp_path / "a.ckpt").write_bytes(b"")
    line = refused("torchvision", tmp_path / "a.ckpt", data, tmp_path)
    assert "expected a file that ends in .npz, .h5, .hdf5, .safetensors, .pth, .pt" in line
    line = refused("torchvision", tmp_path / "none.npz", data, tmp_path)
    assert "received" in line


def test_a_truncated_file_is_refused(data, tmp_path):
    for suffix in (".npz", ".h5", ".safetensors"):
        path = write(tmp_path / f"b{suffix}", random_arrays("caffe"))
        path.write_bytes(path.read_bytes()[:-2000])
        assert "is damaged" in refused("caffe", path, data, tmp_path)


def test_a_damaged_array_is_refused(data, tmp_path):
    path = write(tmp_path / "a.npz", random_arrays("caffe"))
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("conv4/0.npy").header_offset + 500
    content = bytearray(path.read_bytes())
    content[place] ^= 255
    path.write_bytes(content)
    assert "is damaged" in refused("caffe", path, data, tmp_path)


def test_hdf5_links_to_other_files_are_not_followed(data, tmp_path):
    arrays = random_arrays("caffe")
    other = write(tmp_path / "other.h5", arrays)
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        for name in arrays:
            file[f"data/{name}"] = h5py.ExternalLink(str(other), f"data/{name}")
    line = refused("caffe", tmp_path / "linked.h5", data, tmp_path)
    assert "expected 'conv1/0' in" in line
    (tmp_path / "raw").write_bytes(b"\0" * 4000)
    with h5py.File(tmp_path / "external.h5", "w") as file:
        shape = arrays["conv1/1"].shape
        size = int(np.prod(shape)) * 4
        external = [(str(tmp_path / "raw"), 0, size)]
        file.create_dataset("data/conv1/1", shape, "f4", external=external)
    line = refused("caffe", tmp_path / "external.h5", data, tmp_path)
    assert "expected the data of 'data/conv1/1' in this file" in line


def test_a_mistake_is_one_line_and_exit_code_2(data, tmp_path):
    command = [sys.executable, "-m", "alexnet_tf.import_weights"]
    command += arguments("caffe", tmp_path / "none.npz", data, tmp_path / "run")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line.startswith("error: --input")]
    assert "Traceback" not in done.stderr


def without_data(layout, path, run, *more):
    return ["--format", layout, "--input", str(path), "--run", str(run), *overrides(layout), *more]


def test_without_a_dataset_it_can_predict(tmp_path):
    """Names from a file, or numbers; the network is that of an import with a dataset."""
    path = write(tmp_path / "a.npz", random_arrays("torchvision"))
    (tmp_path / "names.txt").write_text("n01\ttench\nn02\tgroße Katze\ndog\nn04\tant, emmet\n")
    names = ["--classes", str(tmp_path / "names.txt"), "--image-size", "80"]
    assert import_weights.main(without_data("torchvision", path, tmp_path / "named", *names)) == 0
    assert import_weights.main(without_data("torchvision", path, tmp_path / "numbered")) == 0
    named, plain = load_run(tmp_path / "named"), load_run(tmp_path / "numbered")
    assert [(c.synset, c.text) for c in named.classes] == [
        ("n01", "tench"),
        ("n02", "große Katze"),
        ("dog", "dog"),
        ("n04", "ant, emmet"),
    ]
    assert plain.classes[3] == ClassName("class-0003", "class 3")
    assert (named.image_size, plain.image_size) == (80, 256)
    images = np.random.default_rng(0).integers(0, 256, (2, 80, 80, 3), np.uint8)
    x = named.transform.centered(
        images[:, 8:72, 8:72], tf.zeros([2, 2], tf.int32), tf.fill([2], False)
    )
    expected = LOGITS["torchvision"](
        random_arrays("torchvision"), images[:, 8:72, 8:72].astype(np.float64)
    )
    np.testing.assert_allclose(named.model(x), expected, rtol=1e-4, atol=1e-4)
    content = tmp_path / "photo.png"
    Image.fromarray(images[0]).save(content)
    ranked = named.predict(content, top=2)
    probabilities = named.probabilities(images[:1])[0].numpy()
    assert [one.label for one in ranked] == np.argsort(-probabilities)[:2].tolist()
    assert ranked[0].probability == pytest.approx(probabilities.max(), rel=1e-5)


@pytest.mark.parametrize("strategy", ["name=multi-worker", "placement=two-tower"])
def test_devices_that_this_machine_lacks_do_not_matter(tmp_path, strategy):
    """They are those of a training that may follow elsewhere."""
    path = write(tmp_path / "a.npz", random_arrays("caffe"))
    options = without_data("caffe", path, tmp_path / "run", f"strategy.{strategy}")
    assert import_weights.main(options) == 0
    assert load_run(tmp_path / "run").model.count_params()


def test_a_dataset_of_another_size_is_refused_at_once(tmp_path):
    path = write(tmp_path / "a.npz", random_arrays("torchvision"))
    for name, settings, message in (
        ("classes", {"classes": CLASSES - 1, "size": 72}, "expected a dataset of the weights' 4"),
        ("pixels", {"classes": CLASSES, "size": 48}, "expected at most 48, the dataset's image"),
    ):
        tiny_datasets.write(tmp_path / name, **settings)
        assert message in refused("torchvision", path, tmp_path / name, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--image-size", "63"], "--image-size: expected 64"),
        (["--image-size", "5000"], "to 4096, received 5000"),
        (["--classes", "none.txt"], "--classes: expected a text file"),
        (["--classes", "{}/few.txt"], "expected 4 lines in"),
        (["--classes", "{}/a.npz"], "--classes: cannot read"),
    ],
)
def test_mistakes_of_names_and_sizes(tmp_path, options, message):
    path = write(tmp_path / "a.npz", random_arrays("torchvision"))
    (tmp_path / "few.txt").write_text("one\ntwo\n")
    options = [option.format(tmp_path) for option in options]
    with pytest.raises(ConfigError) as raised:
        import_weights.main(without_data("torchvision", path, tmp_path / "run", *options))
    assert message in str(raised.value)
    assert not (tmp_path / "run" / "config.yaml").exists()
