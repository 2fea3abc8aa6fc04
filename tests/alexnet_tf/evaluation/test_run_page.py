"""What stands on a run's page, of errors counted by hand and a log written by hand."""

import dataclasses
import io
import itertools
import json

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.config import files as config_files
from alexnet_tf.evaluation import run_page
from alexnet_tf.evaluation.report import Subject, as_json
from alexnet_tf.runs.directory import Run
from preprocessing.dataset.info import ClassName, Shard
from tests.alexnet_tf.evaluation.test_report import counts, info
from tests.parsed_page import ParsedPage

SCRIPT = "<script>alert(1)</script>"
# Of four images one is wrong. Wilson: (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n), z = 1.96.
ERROR = "25.00% (4.56% to 69.94%)"


@pytest.fixture
def run(tmp_path) -> Run:
    """Of an untrained network of three classes, one of which is called a script."""
    config = config_files.parse({"network": {"num_classes": 3, "width": 0.05}}, "test")
    data = info()
    classes = (ClassName("n0", SCRIPT), *data.classes[1:])
    train = (Shard("train-00000-of-00001", 1234, 1, "0" * 64),)
    data = dataclasses.replace(data, classes=classes, splits={**data.splits, "train": train})
    return Run(tmp_path / "a run", config, data, np.zeros((72, 72, 3), np.float32))


@pytest.fixture
def trained(run) -> Run:
    """The same, after an epoch that was done twice, and another."""
    run.path.mkdir()
    rows = [
        {"kind": "steps", "time": 86400.0, "epoch": 0},
        {"kind": "epoch", "time": 86460.0, "epoch": 0, "seconds": 60.0, "processor seconds": 100.0},
        {"kind": "epoch", "time": 86520.0, "epoch": 0, "seconds": 60.0, "processor seconds": 100.0},
        {"kind": "epoch", "time": 90000.0, "epoch": 1, "seconds": 1000, "processor seconds": 2000},
        {"kind": "epoch", "time": "<b>", "epoch": 1, "seconds": 80.0, "processor seconds": 9.0},
    ]
    (run.path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return run


def subject(run: Run, views: int = 1, checkpoint: str = "newest") -> Subject:
    return Subject([str(run.path)], [1.0], "validation", views, run.info, "all", checkpoint)


def page(run: Run, earlier=(), curves: int | None = None) -> ParsedPage:
    def drawn(width: int) -> bytes:
        file = io.BytesIO()
        Image.new("RGB", (width, 5)).save(file, "PNG")
        return file.getvalue()

    shown = run_page.Figures(drawn(3), drawn(4), drawn(6), drawn(curves) if curves else None)
    measured = run_page.Measured(subject(run), counts(), earlier)
    return ParsedPage(run_page.run_page(run, 5678, measured, shown, ["first & <second>", "third"]))


def rows(parsed: ParsedPage) -> list[str]:
    return parsed.texts["td"]


def test_a_trained_run_has_every_section(trained):
    parsed = page(trained, curves=2)
    assert parsed.expect_self_contained() == [(2, 5), (3, 5), (4, 5), (6, 5)]
    assert [title.split(" (")[0] for title in parsed.texts["h2"]] == [
        "Errors",
        "Training",
        "What the first layer has learned",
        "Answers, and images found alike",
        "Confusion",
        "The 2 worst classes",
        "Configuration",
        "Where and when",
        "To repeat it",
    ]
    assert parsed.texts["title"] == parsed.texts["h1"] == ["paper: a run"]
    summary = parsed.texts["p"][0]
    assert "5,678 parameters, trained for 2 epochs on 1,234 images of 3 classes" in summary
    assert f"On the 4 images of the validation split: top-1 error {ERROR}" in summary


def test_the_configuration_is_the_runs_own(trained):
    settings, commands = page(trained, curves=2).texts["pre"]
    assert settings == config_files.to_yaml(trained.config).rstrip("\n")
    assert commands == "first & <second>\nthird"


def test_names_of_classes_are_texts(trained):
    cells = rows(page(trained, curves=2))
    first = cells.index("name|1")  # wrong always; the other class never
    assert cells[first : first + 5] == ["name|1", "1", "100.0%", "0.0%", f"{SCRIPT} (1)"]
    assert cells[first + 5 : first + 10] == [SCRIPT, "3", "0.0%", "0.0%", ""]


def test_earlier_evaluations_stand_below(trained):
    earlier = [
        json.loads(json.dumps(as_json(subject(trained, *which), counts())))
        for which in ((1, "newest"), (10, "newest"), (1, "best"))
    ]
    earlier[1] |= {"dataset": "another", "examples": 5000, "loss": 1.5}
    parsed = page(
        trained, zip(earlier, ("", "of unknown weights", "of earlier weights"), strict=True)
    )
    cells = rows(parsed)
    of_table = [cells[i : i + 6] for i in range(0, 18, 6)]
    assert [row[:3] for row in of_table] == [
        ["4 of validation", "1", "newest"],  # once: it was measured again
        ["5,000 of validation, of another dataset, of unknown weights", "10", "newest"],
        ["4 of validation, of earlier weights", "1", "best"],
    ]
    assert [row[3] for row in of_table] == [ERROR] * 3
    assert of_table[1][5] == "1.5000"
    note = next(text for text in parsed.texts["p"] if "Intervals" in text)
    assert "earlier evaluations" in note
    assert "best checkpoint was chosen" in note


def test_times_are_the_logs(trained):
    cells = rows(page(trained, curves=2))
    told = dict(itertools.pairwise(cells))
    assert told["training's first record"] == "1970-01-02 00:00 UTC"
    assert told["its last"] == "1970-01-02 01:00 UTC"
    assert told["training's time"] == "1,200 s in 2 epochs"
    assert told["processor's time"] == "2,209 s in 2 epochs"
    assert told["dataset's fingerprint"] == trained.info.fingerprint
    assert told["this page: tensorflow"]
    assert "core" in told["this page: processor"]


def test_a_run_of_imported_weights_has_no_training(run):
    run.path.mkdir()
    parsed = page(run)
    assert len(parsed.expect_self_contained()) == 3
    assert "Training" not in parsed.texts["h2"]
    assert "of imported weights, for images of 3 classes" in parsed.texts["p"][0]
    assert not {"training's time", "its last"} & set(rows(parsed))
    given = ["--run", "x", "--html"]
    told = run_page.commands(run, "the data", subject(run), given)
    assert [line.split()[2] for line in told] == ["alexnet_tf.evaluate", "alexnet_tf.visualize"]
    assert f"--run '{run.path}' --data 'the data'" in told[0]
    assert told[1] == "python -m alexnet_tf.visualize --run x --html"


def test_commands_train_another_run(trained):
    train, evaluate, _ = run_page.commands(trained, "D", subject(trained, 10, "best"), [])
    path = trained.path
    assert train == (
        f"python -m alexnet_tf.train --config '{path}/config.yaml' --data D --run '{path}-again'"
    )
    assert evaluate == (
        f"python -m alexnet_tf.evaluate --run '{path}-again' --data D --split validation"
        " --views 10 --checkpoint best"
    )
