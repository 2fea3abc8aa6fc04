"""What a finished run shows: TensorBoard's files, reports, ensembles, figures."""

import dataclasses
import errno
import json
import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from alexnet_tf import evaluate, load_run, visualize
from alexnet_tf.data import reader
from alexnet_tf.data.split import Share, Split
from alexnet_tf.errors import ConfigError, JobError, RunError, UserError
from alexnet_tf.evaluation.image_features import (
    FeatureExtractor,
    ImageFeatures,
    nearest_neighbors,
    together,
)
from alexnet_tf.figures.tiles import figure_3
from alexnet_tf.network.weights import first_kernels
from alexnet_tf.runs import directory as run_directory
from preprocessing.dataset.info import read_info, write_info
from tests.parsed_page import ParsedPage


@pytest.fixture(scope="module")
def events(made):
    found = {}
    for split in ("train", "validation"):
        read = EventAccumulator(str(made.run / "tensorboard" / split), {"tensors": 0})
        read.Reload()
        found[split] = read
    return found


def test_tensorboard_has_every_tag(events):
    train, validation = (set(events[split].Tags()["tensors"]) for split in events)
    curves = {"loss", "top-1 error", "top-5 error"}
    # Both splits' curves in the same charts.
    assert {f"epoch/{name}" for name in curves} <= train & validation
    assert curves <= train
    assert {"learning rate/weights", "learning rate/biases"} <= train
    assert {"speed/images per second", "speed/share of time waiting for input"} <= train
    assert {"first layer", "augmented training images", "configuration"} <= train
    assert {"conv1_a/kernel", "conv1_b/bias", "fc8/kernel"} <= train
    assert {"confusion matrix", "worst classes"} <= validation
    assert events["train"].Graph().node


def test_images_come_at_the_end_of_epochs(events):
    assert [event.step for event in events["train"].Tensors("first layer")] == [5, 10]
    assert [event.step for event in events["validation"].Tensors("confusion matrix")] == [5, 10]
    # How images are varied is shown once.
    assert [event.step for event in events["train"].Tensors("augmented training images")] == [5]


def test_the_share_of_waiting_is_a_share(events):
    shares = events["train"].Tensors("speed/share of time waiting for input")
    values = [float(tf.make_ndarray(event.tensor_proto)) for event in shares]
    assert all(0 <= value <= 1 for value in values)
    assert any(value > 0 for value in values)


def test_the_last_kernels_shown_are_the_trained_ones(made, events):
    last = events["train"].Tensors("first layer")[-1]
    shown = tf.io.decode_png(tf.make_ndarray(last.tensor_proto)[2]).numpy()
    np.testing.assert_array_equal(shown, figure_3(first_kernels(load_run(made.run).model), 4))


def test_the_projector_holds_the_trained_features(made):
    directory = made.run / "tensorboard" / "validation"
    trained, info = load_run(made.run), read_info(made.data)
    split = Split(made.data, info, "validation")
    batch = next(iter(reader.evaluation_batches(split, 72, Share(20))))
    stored = np.fromfile(directory / "features.bytes", np.float32).reshape(20, -1)
    np.testing.assert_allclose(stored, trained.features(batch["image"]), rtol=1e-4, atol=1e-5)
    rows = [line.split("\t") for line in (directory / "images.tsv").read_text().splitlines()]
    assert [row[1] for row in rows[1:]] == [info.classes[i].synset for i in batch["label"]]


def test_image_features_are_the_same_in_any_batches(made):
    trained = load_run(made.run)
    split = Split(made.data, read_info(made.data), "train")
    extractor = FeatureExtractor((trained.model, trained.transform), trained.config.network, 72)
    some, few = extractor.extract(split, 11, 24, batch_size=4), extractor.extract(split, 11, 24)
    assert len(some.labels) == 11
    np.testing.assert_array_equal(some.images, few.images)
    np.testing.assert_array_equal(some.labels, few.labels)
    np.testing.assert_allclose(some.features, few.features, rtol=1e-4, atol=1e-5)


def test_neighbors_against_all_distances():
    rng = np.random.default_rng(0)
    queries, others = rng.normal(size=(3, 8)), rng.normal(size=(30, 8))
    distances = np.linalg.norm(queries[:, None] - others, axis=2)
    np.testing.assert_array_equal(
        nearest_neighbors(queries, others, 4), distances.argsort(axis=1)[:, :4]
    )


def test_report_and_its_page(made):
    assert evaluate.main(["--run", str(made.run), "--data", str(made.data)]) == 0
    report = json.loads((made.run / "evaluation" / "validation-1-views.json").read_text())
    assert sum(row["examples"] for row in report["classes"]) == report["examples"] == 20
    by_class = sum(row["examples"] * row["top1_error"] for row in report["classes"]) / 20
    assert by_class == pytest.approx(report["top1_error"])
    low, high = report["top1_interval"]
    assert low <= report["top1_error"] <= high
    page = (made.run / "evaluation" / "validation-1-views.md").read_text()
    assert f"{report['top1_error']:.2%}" in page


def test_weights_are_searched_on_one_half_and_reported_on_the_other(made, capsys):
    arguments = ["--run", str(made.run), "--run", str(made.run), "--data", str(made.data)]
    assert evaluate.main([*arguments, "--search-weights", "--batch-size", "7"]) == 0
    path = capsys.readouterr().out.split("report: ")[1].strip()
    report = json.loads(Path(path).read_text())
    assert report["examples"] == 10
    assert report["images"] == "odd positions"
    assert report["weights"] == pytest.approx([0.5, 0.5])  # twice the same network
    # The odd half's own loss, from each image's probabilities.
    trained, info = load_run(made.run), read_info(made.data)
    split = Split(made.data, info, "validation")
    batch = next(iter(reader.evaluation_batches(split, 72, Share(20))))
    own = tf.gather(trained.probabilities(batch["image"]), batch["label"], axis=1, batch_dims=1)
    expected = -np.log(own.numpy())[1::2].mean()
    assert report["loss"] == pytest.approx(expected, rel=1e-3)  # crops decoded alone may differ


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--weights", "1", "2"], "--weights: expected 1"),
        (["--weights", "nan"], "--weights"),
        (["--weights", "-1"], "--weights"),
        (["--search-weights"], "several --run"),
        (["--batch-size", "0"], "--batch-size"),
    ],
)
def test_mistakes_of_evaluate(made, options, message):
    with pytest.raises(ConfigError, match=message):
        evaluate.main(["--run", str(made.run), "--data", str(made.data), *options])


@pytest.fixture
def damaged(made, tmp_path) -> Path:
    """A copy of the dataset, to be damaged."""
    shutil.copytree(made.data, tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize("verb", ["evaluate", "visualize"])
@pytest.mark.parametrize("damage", ["missing", "cut", "a bit", "no such split", "no train split"])
def test_a_damaged_dataset_is_one_line(made, damaged, tmp_path, verb, damage):
    shard = Path(read_info(damaged).shard_paths(damaged, "validation")[0])
    content = bytearray(shard.read_bytes())
    if damage == "missing":
        shard.unlink()
    elif damage == "cut":
        shard.write_bytes(content[:-20])
    elif damage == "a bit":
        content[len(content) // 2] ^= 4
        shard.write_bytes(content)
    elif damage == "no train split":
        info = read_info(damaged)
        splits = {"validation": info.splits["validation"]}
        write_info(damaged, dataclasses.replace(info, splits=splits))
    arguments = ["--run", str(made.run), "--data", str(damaged)]
    if damage == "no such split":
        arguments += ["--split", "holdout"]
    run = evaluate.main
    if verb == "visualize":
        run, arguments = visualize.main, [*arguments, "--output", str(tmp_path / "figures")]
    elif damage == "no train split":
        pytest.skip("evaluation needs none")
    with pytest.raises((UserError, JobError)) as raised:
        run(arguments)
    assert "\n" not in str(raised.value)
    assert str(damaged) in str(raised.value) or "expected a split of" in str(raised.value)
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize("verb", ["evaluate", "visualize"])
@pytest.mark.parametrize(
    ("number", "kind"),
    [("ENOSPC", JobError), pytest.param("EROFS", ConfigError, marks=pytest.mark.slow)],
)
def test_a_disk_that_will_not_is_one_line(made, tmp_path, monkeypatch, verb, number, kind):
    def refuse(*_arguments):
        raise OSError(getattr(errno, number), "the disk will not")

    monkeypatch.setattr(os, "replace", refuse)
    arguments = ["--run", str(made.run), "--data", str(made.data)]
    run = evaluate.main
    if verb == "visualize":
        run, arguments = visualize.main, [*arguments, "--output", str(tmp_path / "figures")]
    with pytest.raises(kind, match=r"cannot write .*: the disk will not"):
        run(arguments)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_figures(made, tmp_path, capsys):
    arguments = ["--run", str(made.run), "--data", str(made.data), "--output", str(tmp_path)]
    assert visualize.main([*arguments, "--gallery", "30"]) == 0
    names = ["classes.png", "confusion.png", "curves.png", "figure3.png", "figure4.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in names]
    kernels = first_kernels(load_run(made.run).model)
    with Image.open(tmp_path / "figure3.png") as image:
        np.testing.assert_array_equal(np.asarray(image), figure_3(kernels, factor=5))


@pytest.mark.slow
def test_figures_of_several_networks_averaged(made, tmp_path):
    """Twice the same network draws what it draws alone, but for what is one network's."""
    ends = []
    for name, runs in (("alone", ["--run"]), ("twice", ["--run", str(made.run), "--run"])):
        output = tmp_path / name
        arguments = [*runs, str(made.run), "--data", str(made.data), "--output", str(output)]
        assert visualize.main([*arguments, "--gallery", "30"]) == 0
        ends.append({path.name: path.read_bytes() for path in output.iterdir()})
    alone, twice = ends
    assert sorted(twice) == ["classes.png", "confusion.png", "figure4.png"]
    for name in ("classes.png", "confusion.png"):
        assert twice[name] == alone[name]
    for file in ("alone", "twice"):
        with Image.open(tmp_path / file / "figure4.png") as image:
            ends.append(np.asarray(image).astype(float))
    assert np.abs(ends[-1] - ends[-2]).mean() < 0.1  # bars may end a fraction of a pixel apart


def test_features_side_by_side():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 255, (3, 2, 2, 3), np.uint8), np.arange(3)
    one, other = (
        ImageFeatures(images, labels, *(rng.random((3, n), np.float32) for n in shape))
        for shape in ((4, 5), (4, 7))
    )
    both = together([one, other])
    np.testing.assert_allclose(both.probabilities, (one.probabilities + other.probabilities) / 2)
    distances = ((both.features[0] - both.features[1]) ** 2).sum()
    apart = [((each.features[0] - each.features[1]) ** 2).sum() for each in (one, other)]
    assert distances == pytest.approx(sum(apart))


def test_a_page_of_the_figures(made, tmp_path, capsys):
    output = tmp_path / "figures"
    arguments = ["--run", str(made.run), "--data", str(made.data), "--output", str(output)]
    assert visualize.main([*arguments, "--gallery", "30", "--html"]) == 0
    assert capsys.readouterr().out.split()[-1] == str(output / "report.html")
    parsed = ParsedPage((output / "report.html").read_text(encoding="utf-8"))
    shown = []
    for name in ("curves", "figure3", "figure4", "confusion"):
        with Image.open(output / f"{name}.png") as image:
            shown.append(image.size)
    assert parsed.expect_self_contained() == shown
    parameters = load_run(made.run).model.count_params()
    assert f"{parameters:,} parameters, trained for 2 epochs on 40 images" in parsed.texts["p"][0]
    assert "On the 20 images of the validation split" in parsed.texts["p"][0]
    assert shlex.join(["--gallery", "30", "--html"]) in parsed.texts["pre"][-1]


def test_a_damaged_report_is_told_before_anything_is_drawn(made, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(made.run, run)
    (run / "evaluation").mkdir(exist_ok=True)
    (run / "evaluation" / "validation-9-views.json").write_text("{}")
    arguments = ["--run", str(run), "--data", str(made.data), "--output", str(tmp_path / "a")]
    with pytest.raises(RunError, match=r"validation-9-views.json is damaged"):
        visualize.main([*arguments, "--html"])
    assert not (tmp_path / "a").exists()


def test_curves_tell_a_repeated_epoch_once(made, tmp_path):
    run = run_directory.load(made.run)
    rows = (made.run / "log.jsonl").read_text().splitlines()
    epochs = [json.loads(row) for row in rows if '"kind": "epoch"' in row]
    again = {**epochs[0], "train loss": 9.0}
    (tmp_path / "log.jsonl").write_text("\n".join([*rows, json.dumps(again)]))
    repeated = run_directory.Run(tmp_path, run.config, run.info, run.mean_image)
    with (tmp_path / "log.jsonl").open("a") as file:  # torn, by a kill or a full disk
        file.write('\n{"kind": "epoch", "epo')
    course = visualize.course(repeated)
    assert course.train_loss == [9.0, epochs[1]["train loss"]]
    assert course.validation_top1 == [epoch["validation top1_error"] for epoch in epochs]
    assert course.rate == [0.01, 0.01]
    (tmp_path / "log.jsonl").unlink()
    with pytest.raises(RunError, match="found none"):
        visualize.course(repeated)


def test_mistakes_of_visualize(made, tmp_path):
    arguments = ["--run", str(made.run), "--data", str(made.data), "--output", str(tmp_path / "a")]
    with pytest.raises(ConfigError, match="--gallery"):
        visualize.main([*arguments, "--gallery", "3"])
    with pytest.raises(ConfigError, match="--html: expected one --run, received 2"):
        visualize.main([*arguments, "--run", str(made.run), "--html"])
    assert not (tmp_path / "a").exists()
