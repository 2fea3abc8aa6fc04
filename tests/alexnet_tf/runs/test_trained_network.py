"""The Python interface, as the README shows it."""

import json
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import alexnet_tf
from alexnet_tf import (
    AlexNet,
    LocalResponseNormalization,
    TrainedNetwork,
    compat,
    load_dataset,
    load_model,
    new_head,
)
from alexnet_tf.config import files as config_files
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.errors import ConfigError, DatasetError
from alexnet_tf.network.spec import VARIANTS
from preprocessing.dataset.mean_image import read_mean_image
from tests import tiny_datasets
from tests.deadlines import SECONDS

TINY = {"width": 0.05, "input_size": 64}


def images(count: int = 6, side: int = 64) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 50, (count, side, side, 3)).astype(np.float32)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_builds_for_other_classes(variant):
    model = AlexNet(variant, num_classes=7, width=0.05, input_size=67)
    assert model.output_shape == (None, 7)


def test_full_size_has_the_papers_parameters():
    assert AlexNet().count_params() == 60_965_224


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "alexnet"}, "expected one of paper, original"),
        ({"widht": 2}, "did you mean 'width'"),
        ({"num_classes": 1}, "num_classes"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, message):
    with pytest.raises(ConfigError, match=message):
        AlexNet(**arguments)


def test_saved_and_loaded_again_it_answers_the_same(tmp_path):
    model = AlexNet(num_classes=3, **TINY)
    expected = model(images(), training=False).numpy()
    model.save(tmp_path / "a.keras")
    for load in (keras.saving.load_model, load_model):
        again = load(tmp_path / "a.keras")
        np.testing.assert_array_equal(again(images(), training=False), expected)
    # In a process that has only imported the package.
    np.save(tmp_path / "images.npy", images())
    code = """
import sys, numpy as np, keras
from alexnet_tf import AlexNet
folder = sys.argv[1]
model = keras.saving.load_model(f"{folder}/a.keras")
np.save(f"{folder}/logits.npy", model(np.load(f"{folder}/images.npy"), training=False))
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=SECONDS)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("content", [b"", b"{}", b"[3]", b"{", None])
def test_what_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "a.keras"
    if content is None:
        path.write_bytes(b"no archive")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", content)
    with pytest.raises(ValueError, match=r"expected a \.keras file, received \S+a\.keras"):
        load_model(path)


@pytest.mark.parametrize(
    ("here", "written_by", "message"),
    [
        ("2.15.0", "3.9.2", r"of Keras 2, received one of Keras 3\.9\.2: .* weights"),
        ("3.0.5", "2.15.0", r"Keras 3\.1 or later for a file of Keras 2\.15\.0, .* Keras 3\.0\.5"),
    ],
)
def test_a_keras_that_cannot_read_a_file_says_so(tmp_path, monkeypatch, here, written_by, message):
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": written_by}))
    monkeypatch.setattr(keras, "__version__", here)
    monkeypatch.setattr(compat, "KERAS_3", here.startswith("3."))
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path / "a.keras")


def test_layers_read_the_precision_as_keras_2_wrote_it():
    layer = AlexNet(num_classes=3, precision="mixed_bfloat16", **TINY).get_layer("conv1_a")
    policy = {"class_name": "Policy", "config": {"name": "mixed_bfloat16"}, "registered_name": None}
    config = {**layer.get_config(), "dtype": {"module": "keras.mixed_precision", **policy}}
    again = type(layer).from_config(config)
    assert again.compute_dtype == layer.compute_dtype == "bfloat16"
    assert again.variable_dtype == layer.variable_dtype == "float32"


def test_a_new_head_learns_and_the_rest_stays():
    settings = {"init_scaling": "keep-variance", "dropout": {"rate": 0.0}}
    trained = AlexNet(num_classes=10, **settings, **TINY)
    model = new_head(trained, 3)
    before = [w.numpy() for layer in trained.layers[:-1] for w in layer.weights]
    labels = np.array([0, 1, 2, 0, 1, 2])
    shown = images() + 60.0 * (labels - 1)[:, None, None, None].astype(np.float32)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(0.03), loss)
    first = model.evaluate(shown, labels, verbose=0)
    assert first == pytest.approx(np.log(3), abs=0.05)  # the new layer begins near zero
    model.fit(shown, labels, epochs=60, verbose=0)
    # Features of untrained layers tell brightness apart only slowly.
    assert model.evaluate(shown, labels, verbose=0) < first - 0.02
    after = [w.numpy() for layer in trained.layers[:-1] for w in layer.weights]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_without_freezing_everything_trains():
    model = new_head(AlexNet(num_classes=10, **TINY), 3, freeze=False)
    assert len(model.trainable_weights) == 2 * (7 * 2 + 1)  # of seven layers in two towers, and one
    frozen = new_head(AlexNet(num_classes=10, **TINY), 3)
    assert len(frozen.trainable_weights) == 2


def test_a_head_for_one_class_is_refused():
    with pytest.raises(ValueError, match="at least two classes"):
        new_head(AlexNet(num_classes=10, **TINY), 1)


def test_summary_names_layers_and_towers(capsys):
    lines: list[str] = []
    AlexNet(num_classes=10, **TINY).summary(print_fn=lambda text, **_: lines.append(text))
    text = "\n".join(lines)
    for name in ("conv1_a", "conv1_b", "conv1_lrn_a", "conv3_both_a", "fc7_dropout_b", "fc8"):
        assert name in text


def test_the_layer_is_the_papers_in_other_models_too():
    # One pixel, maps 1, 2, 3; k 2, n 5, alpha 1, beta 0.75: every window holds all three.
    layer = LocalResponseNormalization(alpha=1.0)
    x = np.array([[1.0, 2.0, 3.0]], np.float32)
    np.testing.assert_allclose(layer(x), x / (2 + 14) ** 0.75, rtol=1e-6)


def test_importing_the_package_imports_no_tensorflow():
    code = "import sys, alexnet_tf; sys.exit('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=SECONDS)
    assert done.returncode == 0
    assert set(alexnet_tf.__all__) <= set(dir(alexnet_tf))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = alexnet_tf.nothing


def test_a_dataset_is_its_images_and_labels_once(tmp_path):
    info = tiny_datasets.write(tmp_path, counts={"train": 20, "validation": 7}, size=16)
    images, labels = zip(*load_dataset(tmp_path, "validation").as_numpy_iterator(), strict=True)
    stored = [
        tf.io.parse_single_example(
            record,
            {
                "image/encoded": tf.io.FixedLenFeature([], tf.string),
                "image/class/label": tf.io.FixedLenFeature([], tf.int64),
            },
        )
        for record in tf.data.TFRecordDataset(info.shard_paths(tmp_path, "validation"))
    ]
    assert len(images) == len(stored) == 7
    for image, label, record in zip(images, labels, stored, strict=True):
        assert (image.dtype, image.shape, label.dtype) == (np.uint8, (16, 16, 3), np.int32)
        assert image.tobytes() == record["image/encoded"].numpy()
        assert label == record["image/class/label"].numpy()
    batches = load_dataset(tmp_path, "validation", batch_size=3)
    assert len(batches) == 3
    assert [len(labels) for _, labels in batches] == [3, 3, 1]
    with pytest.raises(DatasetError, match="expected a split of train, validation"):
        load_dataset(tmp_path, "test")
    with pytest.raises(ValueError, match="at least 1"):
        load_dataset(tmp_path, batch_size=0)


@pytest.mark.parametrize(
    ("file", "hint"),
    [("config.yaml", "load_run"), ("saved_model.pb", "saved_model.load"), ("a", "a directory")],
)
def test_a_directory_is_no_keras_file_and_the_line_helps(tmp_path, file, hint):
    (tmp_path / file).write_text("")
    with pytest.raises(ValueError, match=hint):
        load_model(tmp_path)


def test_features_again_and_again_leave_nothing_in_the_network(tmp_path):
    info = tiny_datasets.write(tmp_path, size=72)
    config = config_files.parse({"network": TINY})
    transform = InputTransform(read_mean_image(tmp_path), info.color, config.data, 64)
    model = AlexNet(num_classes=4, **TINY)
    network = TrainedNetwork(model, config, info, transform, tmp_path)
    pixels = np.zeros([2, 72, 72, 3], np.uint8)

    def tied():
        return sum(len(layer._outbound_nodes) for layer in model.layers)

    first = network.features(pixels)
    once = tied()
    np.testing.assert_array_equal(network.features(pixels), first)
    assert tied() == once
