"""MODEL/model.onnx, opened as its users do it: by onnxruntime alone."""

import json
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf

from alexnet_tf import export, load_run
from alexnet_tf.errors import ConfigError, JobError
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.serving import onnx_file
from alexnet_tf.serving.load import NOTES_FILE
from alexnet_tf.serving.signatures import Served

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
from alexnet_tf.serving import onnx_model  # noqa: E402

CPU = ["CPUExecutionProvider"]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 72, 72, 3), np.uint8)


@pytest.fixture(scope="module")
def session(directory):
    return onnxruntime.InferenceSession(directory / onnx_file.FILE, providers=CPU)


@pytest.mark.slow
def test_it_answers_as_the_trained_network(made, session, images):
    trained = load_run(made.run)
    probabilities, features = session.run(["probabilities", "features"], {"pictures": images})
    np.testing.assert_allclose(probabilities, trained.probabilities(images), atol=1e-6)
    np.testing.assert_allclose(features, trained.features(images), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_batch_of_none_gets_none_and_another_shape_or_type_is_refused(session, images):
    shapes = [result.shape for result in session.run(None, {"pictures": images[:0]})]
    assert shapes == [(0, 10), (0, 204)]
    for wrong in (np.float32(images), images[:, :64], images[0]):
        with pytest.raises(Exception, match=r"(?i)unexpected input data type|invalid"):
            session.run(None, {"pictures": wrong})


@pytest.mark.slow
def test_it_says_what_it_is(made, directory, session):
    info = run_directory.load(made.run).info
    found = session.get_modelmeta()
    said = found.custom_metadata_map
    assert [(row["synset"], row["text"]) for row in json.loads(said["classes"])] == [
        (name.synset, name.text) for name in info.classes
    ]
    preprocessing = json.loads(said["preprocessing"])
    assert (preprocessing["square"], preprocessing["resize_filter"]) == (72, info.resize_filter)
    assert said["dataset"] == info.fingerprint
    assert "model_license" not in said  # nothing was stated
    assert found.producer_name == "alexnet_tf"
    notes = json.loads((directory / NOTES_FILE).read_text())["onnx"]
    assert notes["file"] == onnx_file.FILE
    card = " ".join((directory / "README.md").read_text(encoding="utf-8").split())
    assert f". The same network lies beside it as `model.tflite` and `{onnx_file.FILE}`." in card
    assert notes["parity"]["examples"] == 20
    assert notes["parity"]["largest_difference"] <= 1e-6
    assert notes["parity"]["top1_error"] == notes["parity"]["reference_top1_error"]
    assert 0 <= notes["largest_difference"]["probabilities"] <= 1e-6
    assert 0 <= notes["largest_difference"]["features"] <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("count", [9, 10])
def test_views_are_averaged_and_features_of_the_center(made, images, count, tmp_path):
    served = Served(run_directory.load(made.run), view_count=count)
    path = tmp_path / "views.onnx"
    path.write_bytes(onnx_model.convert(served, {}).SerializeToString())
    answer = onnx_model.session(path)
    trained = load_run(made.run)
    received = answer(images)
    expected = trained.probabilities(images, view_count=count)
    np.testing.assert_allclose(received["probabilities"], expected, atol=1e-6)
    assert np.abs(expected - trained.probabilities(images)).max() > 1e-5
    np.testing.assert_allclose(received["features"], trained.features(images), rtol=1e-4, atol=1e-5)
    assert [len(result) for result in answer(images[:0]).values()] == [0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["float16", "bfloat16"])
def test_half_precision_stores_the_rounded_weights(made, directory, images, weights, tmp_path):
    served = Served(run_directory.load(made.run), weights=weights)
    path = tmp_path / "half.onnx"
    path.write_bytes(onnx_model.convert(served, {}).SerializeToString())
    received = onnx_model.session(path)(images)["probabilities"]
    np.testing.assert_allclose(received, served(tf.constant(images)), atol=1e-6)
    whole = directory / onnx_file.FILE
    assert np.abs(onnx_model.session(whole)(images)["probabilities"] - received).max() > 1e-6
    arrays = sum(array.nbytes for array in served.weights().values())
    assert whole.stat().st_size - path.stat().st_size == pytest.approx(arrays, rel=0.05)


@pytest.mark.slow
def test_of_a_training_in_mixed_precision_other_formats_compute_in_float32(made, tmp_path):
    run = shutil.copytree(made.run, tmp_path / "run")
    text = (run / "config.yaml").read_text()
    assert "precision: float32" in text
    (run / "config.yaml").write_text(
        text.replace("precision: float32", "precision: mixed_bfloat16")
    )
    model = tmp_path / "model"
    arguments = ["--run", str(run), "--output", str(model), "--license", "CC0"]
    assert export.main([*arguments, "--onnx", "--tflite"]) == 0
    notes = json.loads((model / NOTES_FILE).read_text())
    assert notes["tflite"]["largest_difference"] <= 1e-6  # from the network in float32
    assert 1e-6 < notes["onnx"]["largest_difference"]["probabilities"] < 1e-2  # from the SavedModel
    loaded = onnxruntime.InferenceSession(model / onnx_file.FILE, providers=CPU)
    assert loaded.get_modelmeta().custom_metadata_map["model_license"] == "CC0"


@pytest.mark.slow
def test_a_file_that_answers_otherwise_is_no_export(made, directory, tmp_path, monkeypatch):
    """Of a network whose last bias is another."""
    weights = Served.weights

    def other(self):
        return {**weights(self), "fc8/bias": np.arange(10, dtype=np.float32)}

    monkeypatch.setattr(Served, "weights", other)
    model = tmp_path / "model"
    with pytest.raises(JobError, match=r"model\.onnx to answer .* probabilities that differ by"):
        export.main(["--run", str(made.run), "--output", str(model), "--onnx"])
    assert list(tmp_path.iterdir()) == []


def test_without_the_packages_nothing_is_begun(made, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"^--onnx: expected .* received no onnxruntime; pip"):
        export.main(["--run", str(made.run), "--output", str(tmp_path / "model"), "--onnx"])
    assert list(tmp_path.iterdir()) == []
