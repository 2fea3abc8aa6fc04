"""What is written for TensorBoard, read back from the files."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins import projector as plugin

from alexnet_tf.config import files as config_files
from alexnet_tf.errors import JobError
from alexnet_tf.monitoring import projector
from alexnet_tf.monitoring.tensorboard import (
    HISTOGRAM_VALUES,
    EventFiles,
    by_difference,
    flat_settings,
)
from alexnet_tf.network.weights import Weight

CONFIGS = Path(__file__).parents[3] / "configs"
CONFIG = config_files.parse({"network": {"width": 0.5}, "schedule": {"rate": [[0, 0.02]]}})


def events(directory) -> EventAccumulator:
    read = EventAccumulator(str(directory), size_guidance={"tensors": 0})
    read.Reload()
    return read


def test_scalars_texts_and_images_come_back(tmp_path):
    with EventFiles(tmp_path) as files:
        files.scalars("validation", {"loss": 1.5}, 7)
        files.text("validation", "worst classes", "| a | b |", 7)
        sheet = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
        files.image("train", "first layer", sheet, 7)
    read = events(tmp_path / "tensorboard" / "validation")
    [scalar] = read.Tensors("loss")
    assert (scalar.step, tf.make_ndarray(scalar.tensor_proto)) == (7, 1.5)
    [text] = read.Tensors("worst classes")
    assert tf.make_ndarray(text.tensor_proto).item() == b"| a | b |"
    [image] = events(tmp_path / "tensorboard" / "train").Tensors("first layer")
    width, height, encoded = tf.make_ndarray(image.tensor_proto)
    assert (width, height) == (b"6", b"4")
    np.testing.assert_array_equal(tf.io.decode_png(encoded), sheet)


def test_histograms_count_at_most_so_many_values(tmp_path):
    with EventFiles(tmp_path) as files:
        values = tf.Variable(tf.ones([2 * HISTOGRAM_VALUES + 1]))
        files.histograms((Weight("fc6", "a", "kernel", values),), 3)
    [event] = events(tmp_path / "tensorboard" / "train").Tensors("fc6_a/kernel")
    counts = tf.make_ndarray(event.tensor_proto)[:, 2]
    assert counts.sum() == pytest.approx(2 * HISTOGRAM_VALUES / 3, rel=0.01)


def test_settings_are_numbers_or_words_and_only_those_that_matter():
    flat = flat_settings(CONFIG)
    assert flat["network.width"] == 0.5
    assert flat["schedule.rate"] == "[[0, 0.02]]"
    assert flat["data.flip"] == "True"
    assert not any(key.startswith(("monitoring", "network.layers", "strategy")) for key in flat)
    assert "training.log_every_steps" not in flat
    assert {type(value) for value in flat.values()} == {float, str}


def test_what_differs_from_the_defaults_comes_first():
    changed = {"network": {"width": 0.5, "variant": "original"}, "data": {"flip": False}}
    ordered = by_difference(config_files.parse(changed))
    assert list(ordered)[:3] == ["network.variant", "network.width", "data.flip"]
    assert ordered == flat_settings(config_files.parse(changed))


def test_a_network_of_layers_of_its_own_is_told_apart_from_the_paper():
    config = config_files.load(CONFIGS / "cifar-80sec.yaml")
    ordered = by_difference(config)
    assert ordered == flat_settings(config)
    places = {key: place for place, key in enumerate(ordered)}
    assert places["network.pool.kind"] < places["network.num_classes"]  # average; 1000 is usual


def test_a_full_disk_is_not_called_too_little_memory(tmp_path, monkeypatch):
    def full(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "events.out; No space left on device")

    with EventFiles(tmp_path) as files:
        monkeypatch.setattr(tf.summary, "scalar", full)
        line = f"cannot write TensorBoard's files in {tmp_path}/tensorboard: .*No space left"
        with pytest.raises(JobError, match=line):
            files.scalars("train", {"loss": 1.0}, 1)


def test_a_directory_that_cannot_be_written_in_is_told(tmp_path):
    (tmp_path / "tensorboard").write_text("mine")
    told = pytest.raises(JobError, match="cannot write TensorBoard's files")
    with told, EventFiles(tmp_path) as files:
        files.scalars("train", {"loss": 1.0}, 1)


def test_hyperparameters_are_written_beside_the_splits(tmp_path):
    with EventFiles(tmp_path / "run") as files:
        files.settings(CONFIG)
    read = events(tmp_path / "run" / "tensorboard")
    tags = read.PluginTagToContent("hparams")
    assert set(tags) == {"_hparams_/experiment", "_hparams_/session_start_info"}
    assert b"network.width" in tags["_hparams_/session_start_info"]


def test_projector_files_agree_with_one_another(tmp_path):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(5, 7)).astype(np.float32)
    images = rng.integers(0, 256, (5, 4, 4, 3), np.uint8)
    rows = [(f"name {i}\twith tab", f"n{i}", "cat") for i in range(5)]
    projector.write(tmp_path, features, rows, images)
    projector.write(tmp_path, features, rows, images)  # overwrites
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*projector.FILES, "projector_config.pbtxt"]
    )
    config = text_format.Parse(
        (tmp_path / "projector_config.pbtxt").read_text(), plugin.ProjectorConfig()
    )
    [embedding] = config.embeddings
    stored = np.fromfile(tmp_path / embedding.tensor_path, np.float32)
    np.testing.assert_array_equal(stored.reshape(tuple(embedding.tensor_shape)), features)
    lines = (tmp_path / embedding.metadata_path).read_text().splitlines()
    assert lines[0] == "class\tidentifier\tanswered"
    assert lines[3] == "name 2 with tab\tn2\tcat"
    side, _ = embedding.sprite.single_image_dim
    with Image.open(tmp_path / embedding.sprite.image_path) as image:
        sprite = np.asarray(image)
    assert sprite.shape == (3 * side, 3 * side, 3)  # 9 places for 5 images
    np.testing.assert_array_equal(sprite[side : 2 * side, side : 2 * side], images[4])
    assert not sprite[2 * side :].any()
