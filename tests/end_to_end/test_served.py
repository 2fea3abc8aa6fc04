"""The export's further signatures, half precision, TFLite; prediction's inputs and outputs."""

import collections
import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import ExifTags, Image
from tensorflow.core.protobuf import saved_model_pb2

from alexnet_tf import evaluate, export, load_run, predict
from alexnet_tf.errors import ConfigError, DatasetError, JobError
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.serving import tflite
from alexnet_tf.serving.load import NOTES_FILE
from alexnet_tf.serving.signatures import Served
from alexnet_tf.serving.tflite_labels import LABELS_FILE, read_labels
from preprocessing.dataset.info import read_info, write_info
from preprocessing.images.convert import ImageOptions, decode_and_resize
from tests.deadlines import SECONDS

SIZE = 72
TOO_LONG = "x" * 300  # for a name


@pytest.fixture(scope="module")
def images(made, files) -> np.ndarray:
    """uint8 [20, 72, 72, 3], by the conversion's own code."""
    options = ImageOptions(size=SIZE, filter=run_directory.load(made.run).info.resize_filter)
    return np.stack([decode_and_resize(data, options) for data in files])


@pytest.fixture(scope="module")
def trained(made):
    return load_run(made.run)


def exported(made, directory, *options: str):
    arguments = ["--run", str(made.run), "--output", str(directory), *options]
    assert export.main(arguments) == 0
    return tf.saved_model.load(str(directory))


def test_decoding_is_the_conversions(served, files, images):
    decoded = served.signatures["decode"](encoded=tf.constant(files))["pictures"].numpy()
    assert np.abs(decoded.astype(int) - images).max() <= 1
    assert (decoded != images).mean() < 0.01


def test_a_photograph_is_predicted_from_python(made, served, trained, files, tmp_path):
    """As the export classifies it; and the network is one line when it is printed."""
    (tmp_path / "photo.jpg").write_bytes(files[0])
    ranked = trained.predict(tmp_path / "photo.jpg", top=3)
    answer = served.signatures["classify"](encoded=tf.constant(files[:1]))
    assert [one.label for one in ranked] == answer["classes"][0, :3].numpy().tolist()
    assert [one.name.encode() for one in ranked] == answer["names"][0, :3].numpy().tolist()
    np.testing.assert_allclose(
        [one.probability for one in ranked], answer["probabilities"][0, :3], rtol=1e-5
    )
    (tmp_path / "text.jpg").write_text("no image")
    for name in ("text.jpg", "none.jpg"):
        with pytest.raises(ConfigError, match=r"expected an image, received \S+: ") as raised:
            trained.predict(tmp_path / name)
        assert "\n" not in str(raised.value)
    assert str(trained).startswith("<TrainedNetwork paper: 10 classes, images of 72 pixels")
    assert "\n" not in str(trained)


@pytest.mark.parametrize("apply_exif", [True, False])
def test_photographs_are_turned_as_the_datasets_were(made, apply_exif):
    """All eight orientations, against the conversion's own code."""
    run = run_directory.load(made.run)
    info = dataclasses.replace(run.info, options={**run.info.options, "apply_exif": apply_exif})
    turning = Served(dataclasses.replace(run, info=info))
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    files = [oriented(pixels, value) for value in range(1, 9)]
    options = ImageOptions(size=SIZE, filter=run.info.resize_filter, apply_exif=apply_exif)
    expected = np.stack([decode_and_resize(data, options) for data in files])
    different = {image.tobytes() for image in expected}
    assert len(different) == (8 if apply_exif else 1)
    decode = turning.signatures()["decode"]
    decoded = decode(encoded=tf.constant(files))["pictures"].numpy()
    assert np.abs(decoded.astype(int) - expected).max() <= 1


def oriented(pixels: np.ndarray, orientation: int) -> bytes:
    content, exif = io.BytesIO(), Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(pixels).save(content, "JPEG", quality=95, exif=exif)
    return content.getvalue()


def test_features_are_the_last_hidden_layers(served, trained, images):
    received = served.signatures["features"](pictures=tf.constant(images))["features"].numpy()
    hidden = [trained.model.get_layer(f"fc7_relu_{tower}").output for tower in "ab"]
    model = keras.Model(trained.model.input, hidden)
    expected = np.concatenate(model(trained.preprocess(images), training=False), axis=1)
    assert received.shape == (20, 204)
    assert received.min() == 0  # of a ReLU
    np.testing.assert_allclose(received, expected, atol=1e-6)
    np.testing.assert_allclose(trained.features(images), expected, atol=1e-6)


def test_rank_gives_every_class_once_and_classify_its_beginning(served, files):
    encoded = tf.constant(files[:3])
    every = {key: value.numpy() for key, value in served.signatures["rank"](encoded).items()}
    first = {key: value.numpy() for key, value in served.signatures["classify"](encoded).items()}
    np.testing.assert_array_equal(np.sort(every["classes"]), np.tile(np.arange(10), (3, 1)))
    assert (np.diff(every["probabilities"]) <= 0).all()
    for key in first:
        np.testing.assert_array_equal(first[key], every[key][:, :5])


@pytest.mark.parametrize("count", [pytest.param(9, marks=pytest.mark.slow), 10])
def test_views_are_averaged(made, trained, images, count):
    served = Served(run_directory.load(made.run), view_count=count)
    looped = served.signatures()["serving_default"](pictures=tf.constant(images))["probabilities"]
    expected = trained.probabilities(images, view_count=count)
    for received in (served(tf.constant(images)), looped):
        np.testing.assert_allclose(received, expected, atol=1e-6)
    assert looped.shape == (20, 10)
    received = looped.numpy()
    assert np.abs(received - trained.probabilities(images)).max() > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_stores_rounded_weights_and_nothing_else(
    made, directory, trained, images, dtype, tmp_path
):
    model = exported(made, tmp_path / "half", "--weights", dtype)
    received = model.signatures["serving_default"](pictures=tf.constant(images))["probabilities"]
    # The same as the trained network with every weight rounded.
    kept = trained.model.get_weights()
    try:
        halves = [tf.cast(tf.cast(w, dtype), tf.float32).numpy() for w in kept]
        trained.model.set_weights(halves)
        expected = trained.probabilities(images)
    finally:
        trained.model.set_weights(kept)
    np.testing.assert_allclose(received, expected, atol=1e-6)
    size = lambda path: sum(f.stat().st_size for f in (path / "variables").iterdir())  # noqa: E731
    assert size(tmp_path / "half") < 0.52 * size(directory)


def test_the_tflite_file_answers_alike(directory, trained, images):
    content = (directory / tflite.FILE).read_bytes()
    received = tflite.interpret(content, images[:4])
    np.testing.assert_allclose(received, trained.probabilities(images[:4]), atol=1e-5)


@pytest.mark.slow
def test_the_tflite_file_in_half_precision_answers_nearly_alike(made, trained, images, tmp_path):
    """Also its constants are float16: what is too small or too large for that must not occur."""
    exported(made, tmp_path / "half", "--weights", "float16", "--tflite")
    content = (tmp_path / "half" / tflite.FILE).read_bytes()
    received = tflite.interpret(content, images[:4])
    np.testing.assert_allclose(received, trained.probabilities(images[:4]), atol=5e-3)


def test_names_lie_beside_the_model_and_outputs_are_named(made, directory):
    classes = run_directory.load(made.run).info.classes
    notes = json.loads((directory / NOTES_FILE).read_text())
    assert [(row["synset"], row["text"]) for row in notes["classes"]] == [
        (name.synset, name.text) for name in classes
    ]
    labels = (directory / LABELS_FILE).read_text(encoding="utf-8").splitlines()
    assert labels == [name.text for name in classes]
    assert read_labels((directory / tflite.FILE).read_bytes()) == labels
    interpreter = tflite.open_interpreter((directory / tflite.FILE).read_bytes())
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["images"], "outputs": ["probabilities"]}
    }


def test_a_card_and_warm_up_requests_lie_beside_it(made, directory, tmp_path):
    info = run_directory.load(made.run).info
    card = (directory / "README.md").read_text(encoding="utf-8")
    assert info.fingerprint in card
    assert info.classes[0].text in card
    assert card.count("Not stated by whoever made this.") == 2
    size = (directory / "assets.extra" / "tf_serving_warmup_requests").stat().st_size
    assert 72 * 72 * 3 < size < 72 * 72 * 3 + 2000
    evaluated = ["--run", str(made.run), "--data", str(made.data)]
    assert evaluate.main(evaluated) == 0
    said = ["--license", "CC0", "--intended-use", "To tell shapes apart."]
    exported(made, tmp_path / "said", *said)
    card = (tmp_path / "said" / "README.md").read_text(encoding="utf-8")
    assert "## License\n\nCC0\n" in card
    assert "To tell shapes apart." in card
    report = json.loads((made.run / "evaluation/validation-1-views.json").read_text())
    low, high = report["top1_interval"]
    assert f"{report['top1_error']:.2%} ({low:.2%} to {high:.2%})" in card


def test_ten_views_have_the_network_in_the_graph_once(made):
    """And the loop computes what ten calls do."""
    run = run_directory.load(made.run)

    def convolutions(count: int) -> int:
        graph = Served(run, view_count=count).signatures()["serving_default"].graph.as_graph_def()
        nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
        return sum(node.op == "Conv2D" for node in nodes)

    assert convolutions(10) == convolutions(1) > 0


def test_all_signatures_share_one_network_and_one_decoder(directory, trained):
    """Whatever is saved is loaded at every start. Twice the network: features are not its end."""
    saved = saved_model_pb2.SavedModel.FromString((directory / "saved_model.pb").read_bytes())
    [functions] = [graph.graph_def.library.function for graph in saved.meta_graphs]
    operations = collections.Counter(node.op for f in functions for node in f.node_def)
    kernels = [layer.kernel for layer in trained.model.layers if hasattr(layer, "kernel")]
    assert operations["Conv2D"] == 2 * sum(len(kernel.shape) == 4 for kernel in kernels)
    assert operations["ExtractJpegShape"] == 1


def test_notes_say_what_was_measured(directory):
    notes = json.loads((directory / NOTES_FILE).read_text())
    assert notes["parity"]["examples"] == 20
    assert notes["parity"]["largest_difference"] <= 1e-6
    assert notes["parity"]["top1_error"] == notes["parity"]["reference_top1_error"]


def test_what_cannot_be_exported_is_refused(made, tmp_path):
    run = ["--run", str(made.run), "--output"]
    with pytest.raises(ConfigError, match="bfloat16"):
        export.main([*run, str(tmp_path / "a"), "--tflite", "--weights", "bfloat16"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear to me")
    with pytest.raises(ConfigError, match="a SavedModel to replace"):
        export.main([*run, str(tmp_path / "mine"), "--overwrite"])
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_a_failed_export_leaves_the_old_one(made, directory, tmp_path, monkeypatch):
    output = shutil.copytree(directory, tmp_path / "model")
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}

    def fail(*_args, **_options):
        raise OSError("no space left on device")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(JobError, match=r"cannot write .*: no space"):
        export.main(["--run", str(made.run), "--output", str(output), "--overwrite"])
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("damage", "error", "told"),
    [
        ("missing", DatasetError, "validation-00000-of-00001"),
        ("a bit", JobError, "the records in {data} cannot be read: one is damaged"),
        ("another one", JobError, "has not the checksum"),
    ],
)
def test_a_damaged_dataset_is_not_put_on_the_export(made, tmp_path, damage, error, told):
    data = shutil.copytree(made.data, tmp_path / "data")
    [shard] = data.glob("validation-*")
    if damage == "missing":
        shard.unlink()
    elif damage == "a bit":
        content = bytearray(shard.read_bytes())
        content[len(content) // 2] ^= 1
        shard.write_bytes(content)
    else:
        info = read_info(data)
        [described] = info.splits["validation"]
        described = dataclasses.replace(described, checksum="0" * 64)
        splits = {**info.splits, "validation": (described,)}
        write_info(data, dataclasses.replace(info, splits=splits))
    with pytest.raises(error) as raised:
        exported(made, tmp_path / "model", "--check", str(data))
    assert told.format(data=data) in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_bad_bytes_are_an_invalid_argument(served, files):
    with pytest.raises(tf.errors.InvalidArgumentError, match="format"):
        served.signatures["classify"](encoded=tf.constant([files[0], b"no image"]))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2000, 3)])
def test_odd_shapes_are_served(served, shape):
    content = io.BytesIO()
    Image.new("RGB", shape, (200, 10, 10)).save(content, "PNG")
    pixels = served.signatures["decode"](encoded=tf.constant([content.getvalue()]))["pictures"]
    np.testing.assert_array_equal(pixels[0], np.tile([200, 10, 10], (SIZE, SIZE, 1)))


@pytest.mark.parametrize("name", ["serving_default", "features"])
@pytest.mark.parametrize("shape", [(2, 224, 224, 3), (2, 64, 64, 3), (2, 72, 72, 1), (72, 72, 3)])
def test_a_signature_refuses_pixels_of_another_shape(served, name, shape):
    received = r"received\] \[" + " ".join(map(str, shape))
    with pytest.raises(tf.errors.InvalidArgumentError, match=received):
        served.signatures[name](pictures=tf.zeros(shape, tf.uint8))


@pytest.mark.parametrize("name", ["serving_default", "features"])
def test_a_signature_refuses_pixels_of_another_type(served, name):
    with pytest.raises(tf.errors.InvalidArgumentError, match="uint8 tensor but is a float tensor"):
        served.signatures[name](pictures=tf.zeros((2, 72, 72, 3)))


@pytest.mark.parametrize("name", ["decode", "classify", "rank"])
def test_a_signature_refuses_bytes_without_a_batch(served, name, files):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"\[\] is not compatible with expected shape \[\?\]"
    ):
        served.signatures[name](encoded=tf.constant(files[0]))


def test_an_empty_batch_gets_empty_results(served):
    pixels, encoded = tf.zeros((0, 72, 72, 3), tf.uint8), tf.constant([], tf.string)
    shapes = {
        name: {key: value.shape for key, value in served.signatures[name](**given).items()}
        for name, given in {
            "serving_default": {"pictures": pixels},
            "features": {"pictures": pixels},
            "decode": {"encoded": encoded},
            "classify": {"encoded": encoded},
            "rank": {"encoded": encoded},
        }.items()
    }
    ranked = ("classes", "synsets", "names", "probabilities")
    assert shapes == {
        "serving_default": {"probabilities": (0, 10)},
        "features": {"features": (0, 204)},
        "decode": {"pictures": (0, 72, 72, 3)},
        "classify": dict.fromkeys(ranked, (0, 5)),
        "rank": dict.fromkeys(ranked, (0, 10)),
    }


@pytest.mark.parametrize("method", ["probabilities", "preprocess", "features"])
def test_the_python_interface_refuses_what_it_would_misread(trained, images, method):
    for wrong in (images / np.float32(255), images[0], np.zeros((1, 224, 224, 3), np.uint8)):
        with pytest.raises(ConfigError, match=r"expected uint8 \[n, 72, 72, 3\]"):
            getattr(trained, method)(wrong)
    assert getattr(trained, method)(images[:0]).shape[0] == 0


def test_predict_takes_folders_and_writes_json(directory, files, tmp_path, capsys):
    (tmp_path / "below").mkdir()
    for name in ("b.JPEG", "a.jpg", "below/c.jpeg"):
        (tmp_path / name).write_bytes(files[0])
    (tmp_path / "notes.txt").write_text("no image, and not asked for")
    arguments = ["--model", str(directory), "--json", "--top", "7", str(tmp_path)]
    assert predict.main(arguments) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["file"] for row in rows] == [
        str(tmp_path / name) for name in ("a.jpg", "b.JPEG", "below/c.jpeg")
    ]
    for row in rows:
        probabilities = [one["probability"] for one in row["classes"]]
        assert len(probabilities) == 7
        assert probabilities == sorted(probabilities, reverse=True)


def test_more_classes_than_there_are_means_all(directory, files, tmp_path, capsys):
    (tmp_path / "a.jpg").write_bytes(files[0])
    predict.main(["--model", str(directory), "--top", "99", str(tmp_path / "a.jpg")])
    assert len(capsys.readouterr().out.splitlines()) == 11


def test_predict_reads_standard_input(directory, files, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(files[0])))
    assert predict.main(["--model", str(directory), "--top", "1", "-"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "-"


def test_every_unreadable_file_gets_one_clear_line(directory, tmp_path, capsys, files):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "cut.jpg").write_bytes(files[0][:500])
    with pytest.raises(JobError, match="4 of 4"):
        predict.main(["--model", str(directory), str(tmp_path), str(tmp_path / "none.jpg")])
    lines = capsys.readouterr().err.splitlines()
    lines = [line for line in lines if str(tmp_path) in line]
    assert len(lines) == 4
    for line, part in zip(lines, ("JPEG", "empty", "format", "No such file"), strict=True):
        assert part in line
        assert "Graph execution" not in line


def test_whatever_is_wrong_with_a_file_the_next_ones_are_answered(
    directory, tmp_path, capsys, files
):
    """Among them damaged BMPs, which TensorFlow tells of with the file's own bytes."""
    image = Image.open(io.BytesIO(files[0]))
    content = io.BytesIO()
    image.quantize(60).save(content, "BMP")
    for number, place in enumerate((11, 14, 18, 22, 28, 46)):
        data = bytearray(content.getvalue())
        data[place] ^= 0xF7
        (tmp_path / f"a{number}.bmp").write_bytes(data[: len(data) - 7 * number])
    os.mkfifo(tmp_path / "b.jpg")
    (tmp_path / "c\x1b[31m.jpg").write_bytes(b"no image")
    (tmp_path / "d.jpg").write_bytes(files[0])
    image.save(tmp_path / "e.webp")
    with pytest.raises(JobError, match="of 10 images could not be read"):
        predict.main(["--model", str(directory), "--top", "1", str(tmp_path)])
    out, err = capsys.readouterr()
    answered = [line for line in out.splitlines() if line.startswith(str(tmp_path))]
    assert answered[-2:] == [str(tmp_path / "d.jpg"), str(tmp_path / "e.webp")]
    told = [line for line in err.splitlines() if line.startswith(str(tmp_path))]
    assert len(answered) + len(told) == 10
    assert "\x1b" not in out + err
    assert any("b.jpg: not a readable image: expected a regular file" in line for line in told)


DAMAGES = ["empty", "cut", "no variables", "address", "a file", "nothing", "too long"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_one_line(directory, tmp_path, damage):
    copy = tmp_path / "model"
    shutil.copytree(directory, copy)
    graph = copy / "saved_model.pb"
    if damage == "empty":
        graph.write_bytes(b"")
    elif damage == "cut":
        graph.write_bytes(graph.read_bytes()[:5000])
    elif damage == "no variables":
        shutil.rmtree(copy / "variables")
    given = {
        "address": "http://a.b/model",
        "a file": str(graph),
        "nothing": "",
        "too long": TOO_LONG,
    }
    with pytest.raises(ConfigError, match=r"^--model: ") as raised:
        predict.main(["--model", given.get(damage, str(copy)), "a.jpg"])
    assert "\n" not in str(raised.value)


def test_json_is_json_on_a_terminal_without_utf_8(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    line = predict.json_line("größe", [])
    assert line.isascii()
    assert json.loads(line)["file"] == "größe"


def test_names_that_are_their_own_identifiers_are_printed_once():
    row = {"class": 0, "synset": "monarch", "name": "monarch", "probability": 0.77}
    assert predict.table("a.jpg", [row]) == "a.jpg\n   77.00%  monarch"
    row = {**row, "synset": "n02279972"}
    assert predict.table("a.jpg", [row]) == "a.jpg\n   77.00%  n02279972  monarch"


def test_mistakes_of_predict(directory, tmp_path):
    with pytest.raises(ConfigError, match="found none"):
        predict.main(["--model", str(directory), str(tmp_path)])
    with pytest.raises(ConfigError, match="at most once, received it 2 times"):
        predict.main(["--model", str(directory), "-", "-"])
    with pytest.raises(ConfigError, match="--top"):
        predict.main(["--model", str(directory), "--top", "0", "a.jpg"])
    with pytest.raises(ConfigError, match="SavedModel"):
        predict.main(["--model", str(tmp_path), "a.jpg"])


def test_other_signatures_are_told(tmp_path):
    module = tf.Module()
    module.f = tf.function(lambda x: x, input_signature=[tf.TensorSpec([])])
    tf.saved_model.save(module, str(tmp_path / "other"), signatures={"f": module.f})
    with pytest.raises(ConfigError, match="classify and rank, received f"):
        predict.load(str(tmp_path / "other"), 5)


def test_weights_of_another_kind_are_refused(made):
    with pytest.raises(ValueError, match="float32"):
        Served(run_directory.load(made.run), weights="int8")


def test_predict_loads_nothing_of_ours_but_itself():
    """A fast start: TensorFlow is most of it; nothing else of ours is loaded, and no Keras."""
    code = """
import sys
from alexnet_tf import startup_imports
startup_imports.begin()  # as `python -m` does
from alexnet_tf import predict
heavy = ("alexnet_tf.network.model", "alexnet_tf.data", "apache_beam", "keras")
print(sorted(n for n, module in sys.modules.items() if n.startswith(heavy) and module))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    assert done.stdout.strip() == "[]"
