import json
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.evaluation import report
from alexnet_tf.evaluation.error_counts import ErrorCounts
from alexnet_tf.evaluation.packed import unpack
from alexnet_tf.evaluation.published import NOTES, PUBLISHED, TEST_2010, VALIDATION_2012
from preprocessing.dataset.info import ClassName, ColorStatistics, DatasetInfo, Shard

CONFIGS = Path(__file__).parents[3] / "configs"


def info(classes: int = 3, examples: int = 4, source: str = "folder") -> DatasetInfo:
    identity = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    return DatasetInfo(
        source=source,
        image_size=72,
        encoding="raw",
        jpeg_quality=None,
        resize_filter="area",
        seed=0,
        classes=tuple(ClassName(f"n{i}", f"name|{i}") for i in range(classes)),
        splits={"validation": (Shard("validation-00000-of-00001", examples, 1, "0" * 64),)},
        color=ColorStatistics((0.0,) * 3, (1.0,) * 3, identity),
    )


def counts(classes: int = 3) -> ErrorCounts:
    counted = ErrorCounts(classes)
    probabilities = np.full((4, classes), 0.1 / (classes - 1), np.float32)
    probabilities[:, 0] = 0.9
    counted.add(np.array([0, 0, 0, 1]), probabilities)
    return counted


def test_report_survives_json_and_says_what_was_counted():
    subject = report.Subject(["run"], [1.0], "validation", 10, info())
    content = json.loads(json.dumps(report.as_json(subject, counts())))
    assert content["examples"] == 4
    assert content["top1_error"] == 0.25
    np.testing.assert_array_equal(unpack(content["wrong"]["top1"], 4), [False, False, False, True])
    np.testing.assert_array_equal(unpack(content["wrong"]["top5"], 4), [False] * 4)
    low, high = content["top1_interval"]
    assert low < 0.25 < high
    assert [row["examples"] for row in content["classes"]] == [3, 1]
    assert content["classes"][1]["mistaken_for"] == "n0"
    assert sum(row["images"] for row in content["calibration_bins"]) == 4
    last = content["calibration_bins"][-2]  # of 0.867 to 0.933: all four, three of them right
    assert last["images"] == 4
    assert last["sum_of_right"] == 3
    assert last["sum_of_highest_probabilities"] == pytest.approx(4 * 0.9)
    assert content["published"] is None
    assert "25.00%" in report.line(content)


def test_markdown_tables_keep_their_columns():
    subject = report.Subject(["run"], [1.0], "validation", 10, info())
    page = report.as_markdown(subject, counts())
    rows = [row for row in page.splitlines() if "name" in row]
    assert len(rows) == 2
    assert all(row.replace("\\|", "").count("|") == 6 for row in rows)
    assert "published" not in page


@pytest.mark.parametrize(
    ("classes", "examples", "source", "part", "shown"),
    [
        (1000, 50_000, "ilsvrc2012", "all", True),
        (1000, 50_000, "ilsvrc2012", "odd positions", False),
        (1000, 49_000, "ilsvrc2012", "all", False),
        (1000, 50_000, "folder", "all", False),
        (10, 50_000, "ilsvrc2012", "all", False),
    ],
)
def test_published_errors_stand_only_beside_imagenets_validation(
    classes, examples, source, part, shown
):
    data = info(classes, examples, source)
    subject = report.Subject(["run"], [1.0], "validation", 10, data, part)
    content = report.as_json(subject, counts(classes))
    page = " ".join(report.as_markdown(subject, counts(classes)).split())
    assert (content["published"] is not None) == shown
    assert ("net 145" in page) == shown
    # The paper's Table 2: one network, 40.7 % and 18.2 %.
    assert ("| 40.70% | 18.20% |" in page) == shown


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row.what}, {row.views}")
def test_published_errors_are_of_whole_images_and_their_configuration_is_there(row):
    """Over ten views of all images; the notes' one view is a mean over batches of several sizes."""
    count = {VALIDATION_2012: 50_000, TEST_2010: 150_000}[row.images]
    if row.views == 10 and row.source == NOTES:
        for error in (row.top1_error, row.top5_error):
            assert abs(error * count - round(error * count)) <= count * 0.5e-6
    assert row.config is None or (CONFIGS / f"{row.config}.yaml").is_file()
    assert row.top5_error < row.top1_error
