"""From the archives to a prediction, by the command lines that a user types."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from alexnet_tf import evaluate, export, predict, train
from alexnet_tf.data.views import mean_probabilities, views
from alexnet_tf.errors import ConfigError, JobError, RunError
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.restore import restored_model
from preprocessing.__main__ import main as preprocessing
from preprocessing.dataset.example import decode_example
from preprocessing.dataset.info import read_info
from preprocessing.dataset.tfrecord import read_records
from preprocessing.images.convert import ImageOptions, decode_and_resize
from tests.deadlines import SECONDS


@pytest.fixture(scope="module")
def expected(made, files) -> np.ndarray:
    """Probabilities of the training-side network on pixels made by the conversion's own code."""
    run = run_directory.load(made.run)
    network, transform = restored_model(run)
    options = ImageOptions(size=72, filter=run.info.resize_filter)
    images = np.stack([decode_and_resize(data, options) for data in files])
    return mean_probabilities(network, transform, images, views(72, 64, 1)).numpy()


def test_the_dataset_verifies_and_labels_follow_the_devkit(made):
    assert not preprocessing(["verify", str(made.data)])
    info = read_info(made.data)
    assert (info.num_examples("train"), info.num_examples("validation")) == (40, 20)
    for path in info.shard_paths(made.data, "train"):
        with open(path, "rb") as file:
            for data in read_records(file):
                record = decode_example(data)
                assert info.classes[record.label].synset == record.synset
                assert record.filename.startswith(record.synset)


def test_training_left_a_complete_run(made):
    records = [json.loads(line) for line in (made.run / "log.jsonl").read_text().splitlines()]
    epochs = [record for record in records if record["kind"] == "epoch"]
    assert [record["step"] for record in epochs] == [5, 10]
    assert [record["train examples"] for record in epochs] == [40, 40]
    assert [record["validation examples"] for record in epochs] == [20, 20]
    assert sorted(p.name for p in (made.run / "checkpoints").iterdir()) == [
        "step-000000005",
        "step-000000010",
    ]
    for split in ("train", "validation"):
        assert list((made.run / "tensorboard" / split).glob("events*"))


def test_the_same_command_finds_nothing_left_to_do(made, capsys):
    before = (made.run / "checkpoints" / "step-000000010" / "state.json").read_bytes()
    arguments = ["--config", str(made.config), "--data", str(made.data), "--run", str(made.run)]
    assert train.main(arguments) == 0
    assert "finished" in capsys.readouterr().out
    assert (made.run / "checkpoints" / "step-000000010" / "state.json").read_bytes() == before


@pytest.mark.parametrize("count", [1, 10])
def test_evaluation_counts_every_image_once(made, files, count, capsys):
    arguments = ["--run", str(made.run), "--data", str(made.data), "--batch-size", "7"]
    assert evaluate.main([*arguments, "--views", str(count)]) == 0
    report = json.loads((made.run / f"evaluation/validation-{count}-views.json").read_text())
    assert report["examples"] == 20
    run = run_directory.load(made.run)
    network, transform = restored_model(run)
    images, labels = [], []
    for path in run.info.shard_paths(made.data, "validation"):
        with open(path, "rb") as file:
            for data in read_records(file):
                record = decode_example(data)
                images.append(tf.io.decode_jpeg(record.encoded))
                labels.append(record.label)
    chosen = views(72, 64, count)
    answers = mean_probabilities(network, transform, tf.stack(images), chosen).numpy()
    wrong = (answers.argmax(axis=1) != labels).sum()
    loss = -np.log(answers[np.arange(20), labels]).mean()
    assert report["top1_error"] == pytest.approx(wrong / 20)
    assert report["loss"] == pytest.approx(loss, rel=1e-3)  # crops decoded alone differ at an edge


def _report_of(arguments, capsys) -> dict:
    assert evaluate.main(arguments) == 0
    return json.loads(Path(capsys.readouterr().out.split("report: ")[1].strip()).read_text())


def test_an_ensemble_of_a_run_with_itself_is_that_run(made, capsys):
    one = ["--run", str(made.run), "--data", str(made.data)]
    both = [*one, "--run", str(made.run), "--weights", "1", "3"]
    single, double = (_report_of(arguments, capsys) for arguments in (one, both))
    assert double["loss"] == pytest.approx(single["loss"], rel=1e-5)
    assert double["top1_error"] == single["top1_error"]


@pytest.mark.slow
def test_several_view_counts_in_one_call(made, capsys):
    arguments = ["--run", str(made.run), "--data", str(made.data)]
    assert evaluate.main([*arguments, "--views", "10", "1"]) == 0
    first, second = [line for line in capsys.readouterr().out.splitlines() if "error" in line]
    assert first.startswith("validation, 10 views, ")
    for count, line in ((10, first), (1, second)):
        alone = made.run / f"evaluation/validation-{count}-views.json"
        before = json.loads(alone.read_text())
        assert evaluate.main([*arguments, "--views", str(count)]) == 0
        assert capsys.readouterr().out.splitlines()[0] == line
        assert json.loads(alone.read_text())["wrong"] == before["wrong"]


def test_the_export_answers_as_the_training_network(served, files, expected):
    answer = served.signatures["classify"](encoded=tf.constant(files))
    best = answer["probabilities"].numpy()
    classes = answer["classes"].numpy()
    assert best.shape == (20, 5)
    # Decoders and resampling may differ by a grey level here and there.
    np.testing.assert_allclose(best, np.take_along_axis(expected, classes, 1), atol=2e-3)


def test_serving_pixels_gives_the_same_probabilities_exactly(made, served, files, expected):
    options = ImageOptions(size=72, filter=read_info(made.data).resize_filter)
    images = np.stack([decode_and_resize(data, options) for data in files])
    serve = served.signatures["serving_default"]
    received = serve(pictures=tf.constant(images))["probabilities"].numpy()
    np.testing.assert_allclose(received, expected, atol=1e-6)


def test_tensorflow_alone_loads_and_calls_the_export(directory, served, files, tmp_path):
    (tmp_path / "a.jpg").write_bytes(files[0])
    code = f"""
import sys, tensorflow as tf
model = tf.saved_model.load({str(directory)!r})
answer = model.signatures["classify"](encoded=tf.constant([open("a.jpg", "rb").read()]))
print(answer["names"].numpy()[0][0].decode(), float(answer["probabilities"][0][0]))
assert "alexnet_tf" not in sys.modules and "preprocessing" not in sys.modules
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=SECONDS
    )
    name, probability = done.stdout.split()
    answer = served.signatures["classify"](encoded=tf.constant(files[:1]))
    assert name == answer["names"].numpy()[0][0].decode()
    assert float(probability) == pytest.approx(float(answer["probabilities"][0, 0]), abs=1e-5)


def test_predict_prints_a_table_and_counts_what_it_cannot_read(directory, files, tmp_path, capsys):
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    good.write_bytes(files[0])
    bad.write_bytes(b"no image at all")
    assert predict.main(["--model", str(directory), str(good)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(good)
    assert len(lines) == 6
    with pytest.raises(JobError, match="2 of 3"):
        predict.main(["--model", str(directory), str(bad), str(tmp_path / "none.jpg"), str(good)])
    shown = capsys.readouterr()
    assert str(good) in shown.out
    assert "bad.jpg" in shown.err
    assert "none.jpg" in shown.err


def test_an_export_is_not_overwritten_unless_asked(made, directory, tmp_path):
    model = shutil.copytree(directory, tmp_path / "model")
    before = sorted(path.name for path in model.parent.iterdir())
    with pytest.raises(ConfigError, match="--overwrite"):
        export.main(["--run", str(made.run), "--output", str(model)])
    assert export.main(["--run", str(made.run), "--output", str(model), "--overwrite"]) == 0
    assert sorted(path.name for path in model.parent.iterdir()) == before


def test_classes_of_another_dataset_are_refused(made, tmp_path):
    root = tmp_path / "folder"
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for number in range(3):
            image = io.BytesIO()
            Image.new("RGB", (80, 80), (number, 0, 0)).save(image, "PNG")
            (root / name / f"{number}.png").write_bytes(image.getvalue())
    other = tmp_path / "other"
    arguments = ["--source", "folder", "--input", str(root), "--output", str(other)]
    assert not preprocessing(["convert", *arguments, "--image-size", "72", "--workers", "1"])
    with pytest.raises(RunError, match="classes"):
        evaluate.main(["--run", str(made.run), "--data", str(other)])


def test_mistakes_end_with_one_line_and_code_2(made, tmp_path):
    command = [sys.executable, "-m", "alexnet_tf.train", "--data", str(tmp_path), "--run"]
    done = subprocess.run(
        [*command, str(tmp_path / "run"), "--config", str(made.config)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: expected dataset_info.json")
