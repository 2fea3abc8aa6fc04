"""Fine-tuning: a training that begins with the weights of a file or of another run."""

import numpy as np
import pytest

from alexnet_tf import fine_tune, train
from alexnet_tf.config import files as config_files
from alexnet_tf.errors import ConfigError, UserError
from alexnet_tf.foreign_weights.files import open_arrays
from alexnet_tf.foreign_weights.formats import LAYOUTS, imported
from alexnet_tf.network.weights import weights_of
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.restore import restored_model
from tests import tiny_datasets
from tests.alexnet_tf.foreign_weights.test_import_weights import SIZES, WIDTH, random_arrays

FROZEN = ("conv1", "conv2", "conv3", "conv4", "conv5")
NETWORK = (f"network.width={WIDTH}", f"network.input_size={SIZES['torchvision']}")
SHORT = (
    "training.epochs=1",
    "training.global_batch_size=10",
    "training.flat_loss_steps=null",
    "monitoring.every_epochs=0",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A file of torchvision's layout for 4 classes, and datasets of 3 and of 4 classes."""
    root = tmp_path_factory.mktemp("fine-tuning")
    np.savez(root / "alexnet.npz", **random_arrays("torchvision"))
    for classes in (3, 4):
        tiny_datasets.write(root / f"data-{classes}", classes=classes, size=72)
    return root


def arguments(root, run: str, classes: int, *overrides: str) -> list[str]:
    return [
        *("--config", "configs/fine-tuning.yaml", "--data", str(root / f"data-{classes}")),
        *("--run", str(root / run), *NETWORK, *SHORT, *overrides),
    ]


def from_file(root) -> str:
    return f"init_from.path={root / 'alexnet.npz'}"


def weights(path) -> dict[str, np.ndarray]:
    model, _ = restored_model(run_directory.load(path))
    return {weight.name: weight.variable.numpy() for weight in weights_of(model)}


@pytest.fixture(scope="module")
def tuned(root):
    """A run of 3 classes, made in one command from the file of 4."""
    assert train.main(arguments(root, "tuned", 3, from_file(root))) == 0
    return root / "tuned"


def test_a_file_of_another_class_count(root, tuned):
    """Frozen layers are the file's to the bit, the others went on from it, the head is new."""
    config = run_directory.load(tuned).config
    spec = config.network.model_copy(update={"num_classes": 4})
    with open_arrays(root / "alexnet.npz") as stored:
        given = imported(LAYOUTS["torchvision"], spec, stored, "file")
    trained = weights(tuned)
    assert trained["fc8/kernel"].shape[-1] == 3
    for name, value in given.items():
        layer = name.partition("/")[0]
        if layer in FROZEN:
            np.testing.assert_array_equal(trained[name], value)
        elif layer != "fc8":
            assert not np.array_equal(trained[name], value)
            # Two steps at a rate of 0.001 lead nowhere near other random weights.
            np.testing.assert_allclose(trained[name], value, atol=0.2 * np.abs(value).max() + 1e-3)


def test_it_goes_on_without_the_file(root, tuned, tmp_path, capsys):
    moved = (root / "alexnet.npz").rename(tmp_path / "moved.npz")
    try:
        assert train.main(arguments(root, "tuned", 3, from_file(root), "training.epochs=2")) == 0
    finally:
        moved.rename(root / "alexnet.npz")
    out = capsys.readouterr().out
    assert "going on at epoch 2" in out
    assert "beginning with" not in out


@pytest.mark.parametrize("new_head", ["if-other-classes", "always"])
def test_a_run_with_and_without_a_new_head(root, tuned, new_head):
    """Of the same classes the head stays unless it is to be new: seen before the first step."""
    before = weights(tuned)
    path = f"init_from={{path: {tuned}, format: null, new_head: {new_head}, frozen: [fc6, fc7]}}"
    name = f"again-{new_head}"
    still = ("schedule.rate=[[0, 0]]", "schedule.layer_rates.fc8=[[0, 0]]")
    assert train.main(arguments(root, name, 3, path, *still)) == 0
    after = weights(root / name)
    for weight in before:
        same = np.array_equal(before[weight], after[weight])
        assert same == (not (weight.startswith("fc8/") and new_head == "always")), weight


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("init_from.format=null", "init_from.format: expected torchvision or caffe"),
        ("init_from.format=caffe", "network.variant: expected caffenet or bvlc"),
        ("data={mean: center, mean_rgb: null}", "expects data.mean=channel data.mean_rgb=["),
        ("data.mean_rgb=[1, 2, 3]", "expects data.mean=channel data.mean_rgb=[123.675,116.28,"),
        ("init_from.new_head=never", "init_from.new_head: expected if-other-classes or always"),
        ("network.width=0.125", "init_from.path: expected 'features.0.weight' of shape"),
        ("init_from.path=configs", "init_from.format: expected none beside a run directory"),
        ("init_from.path=none.npz", "init_from.path: expected a file that ends in"),
        ("init_from.path=a.pth", "received a.pth, which is no file"),
        ("init_from.path=a.caffemodel", "caffe.Net('deploy.prototxt', 'a.caffemodel', caffe.TEST)"),
        ("init_from.frozen=[conv9]", "init_from.frozen: expected some of conv1"),
        ("init_from.path=null", "init_from.path: expected a run directory or a file"),
        ("init_from={path: configs, format: null}", "expected a run directory with config.yaml"),
    ],
)
def test_what_does_not_fit_is_refused(root, change, message):
    name = f"refused-{abs(hash(change))}"
    with pytest.raises(UserError) as raised:
        train.main(arguments(root, name, 3, from_file(root), change))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not list((root / name).glob("checkpoints/step-*"))


def test_in_one_call_from_a_file_and_from_a_run(root):
    """The call does what the command does; from a run, it takes over the run's network."""
    assert not train.main(arguments(root, "commanded", 3, from_file(root)))
    sections = {
        "network": {"width": WIDTH, "input_size": SIZES["torchvision"]},
        "training": {"epochs": 1, "global_batch_size": 10, "flat_loss_steps": None},
        "monitoring": {"every_epochs": 0},
    }
    trained = fine_tune(root / "alexnet.npz", root / "data-3", root / "called", **sections)
    before, after = weights(root / "commanded"), weights(root / "called")
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, rtol=1e-4, atol=1e-5)
    assert len(trained.classes) == 3
    del sections["network"]
    again = fine_tune(root / "called", root / "data-4", root / "called-again", **sections)
    assert (len(again.classes), again.config.network.width) == (4, WIDTH)
    conv1 = [name for name in after if name.startswith("conv1/")]
    for name in conv1:
        np.testing.assert_array_equal(weights(root / "called-again")[name], after[name])
    with pytest.raises(ConfigError, match=r"fine_tune: unknown key 'training.epoch'"):
        fine_tune(root / "alexnet.npz", root / "data-3", root / "x", training={"epoch": 1})


def test_another_network_is_refused(root, tuned):
    """Not by shapes alone: the activation has none."""
    path = f"init_from={{path: {tuned}, format: null}}"
    with pytest.raises(ConfigError, match=r"expected the same network\.activation"):
        train.main(arguments(root, "tanh", 3, path, "network.activation=tanh"))


def test_all_layers_frozen_is_no_training():
    layers = "[conv1, conv2, conv3, conv4, conv5, fc6, fc7, fc8]"
    with pytest.raises(ConfigError, match="not all of them"):
        config_files.load("configs/fine-tuning.yaml", [f"init_from.frozen={layers}"])
