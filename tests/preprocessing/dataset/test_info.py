"""The dataset directory: names, dataset_info.json, the mean image."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.dataset.info import (
    ClassName,
    ColorStatistics,
    DatasetInfo,
    Shard,
    read_info,
    write_info,
)
from preprocessing.dataset.mean_image import read_mean_image
from preprocessing.dataset.names import SPLITS, parse_shard_name, shard_name
from preprocessing.errors import DatasetError

INFO = DatasetInfo(
    source="folder",
    image_size=4,
    encoding="jpeg",
    jpeg_quality=95,
    resize_filter="area",
    seed=3,
    classes=(ClassName("a", "Äpfel"), ClassName("b", "b")),
    splits={
        "train": (
            Shard("train-00000-of-00002", 5, 50, "0" * 64),
            Shard("train-00001-of-00002", 4, 40, "1" * 64),
        ),
        "validation": (Shard("validation-00000-of-00001", 2, 20, "2" * 64),),
    },
    color=ColorStatistics((1.0, 2.0, 3.0), (0.5, 0.6, 0.7), ((1.0, 0.0, 0.0),) * 3),
    rejects={"empty": 1},
    tool_versions={"pillow": "12"},
    options={"apply_exif": False},
)


def test_shard_name():
    assert shard_name("train", 7, 1024) == "train-00007-of-01024"


@given(st.sampled_from(SPLITS), st.integers(0, 10**7), st.integers(1, 10**6))
def test_shard_names_round_trip(split, index, more):
    assert parse_shard_name(shard_name(split, index, index + more)) == (split, index, index + more)


@pytest.mark.parametrize(
    "name",
    [
        "train-00002-of-00002",
        "train-0-of-1",
        "../train-00000-of-00001",
        "train-00000-of-00001\n",
        "train-000000-of-00001",
        "extra-00000-of-00001",
        "train-٠٠٠٠٠-of-00001",
    ],
)
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="expected a shard's name"):
        parse_shard_name(name)


@pytest.mark.parametrize(
    ("split", "index", "count"), [("train", 1, 1), ("train", -1, 1), ("x", 0, 1)]
)
def test_shard_name_checks_its_arguments(split, index, count):
    with pytest.raises(ValueError, match="Received"):
        shard_name(split, index, count)


def test_info_round_trip(tmp_path):
    write_info(tmp_path, INFO)
    assert read_info(tmp_path) == INFO
    assert [path.name for path in tmp_path.iterdir()] == ["dataset_info.json"]


def test_counts_and_paths():
    assert INFO.num_examples("train") == 9
    assert INFO.shard_paths("/d", "validation") == ["/d/validation-00000-of-00001"]
    with pytest.raises(DatasetError, match="'test'"):
        INFO.num_examples("test")


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"rejects": {}}, False),
        ({"tool_versions": {"pillow": "13"}}, False),
        ({"image_size": 5}, True),
        ({"encoding": "raw"}, True),
        ({"classes": (ClassName("a", "a"), ClassName("b", "b"))}, True),
        ({"splits": {"train": (Shard("train-00000-of-00001", 9, 90, "3" * 64),)}}, True),
        ({"color": dataclasses.replace(INFO.color, mean_rgb=(1.0, 2.0, 3.5))}, True),
    ],
)
def test_fingerprint_is_that_of_the_content(change, differs):
    changed = dataclasses.replace(INFO, **change)
    assert (changed.fingerprint != INFO.fingerprint) == differs


def test_no_dataset(tmp_path):
    with pytest.raises(DatasetError, match=r"dataset_info\.json.*not a complete dataset"):
        read_info(tmp_path)


def test_another_format_version_names_both(tmp_path):
    write_info(tmp_path, dataclasses.replace(INFO, format_version=7))
    with pytest.raises(DatasetError, match=r"version 1, received version 7"):
        read_info(tmp_path)


def _damaged(change):
    content = json.loads(json.dumps(dataclasses.asdict(INFO)))
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected JSON"),
        ("[" * 100_000, "expected JSON"),
        ("[]", "version"),
        (_damaged(lambda c: c.pop("classes")), "'classes' is missing"),
        (
            _damaged(lambda c: c["splits"]["train"][0].update(name="../../x")),
            "expected shard train",
        ),
        (_damaged(lambda c: c["splits"].update(evil=[{}])), "damaged"),
        (_damaged(lambda c: c["splits"]["train"].reverse()), "expected shard train-00000"),
        (_damaged(lambda c: c["splits"]["train"][0].update(examples="9")), "expected counts"),
        (_damaged(lambda c: c["splits"]["train"][0].update(checksum="")), "expected a SHA-256"),
        (_damaged(lambda c: c["color"].update(stddevs=[1, 2])), "three finite numbers"),
        (_damaged(lambda c: c["color"].update(mean_rgb=[1, 2, float("nan")])), "three finite"),
        (_damaged(lambda c: c.update(image_size=10**9)), "image size"),
        (_damaged(lambda c: c.update(surprise=1)), "surprise"),
    ],
)
def test_damaged_info_is_one_clear_line(tmp_path, text, message):
    (tmp_path / "dataset_info.json").write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        read_info(tmp_path)
    assert "\n" not in str(caught.value)


def _write_mean(folder, mean):
    write_info(folder, INFO)
    np.save(folder / "mean_image.npy", mean)


def test_mean_image(tmp_path):
    mean = np.linspace(0, 255, 48, dtype=np.float32).reshape(4, 4, 3)
    _write_mean(tmp_path, mean)
    np.testing.assert_array_equal(read_mean_image(tmp_path), mean)


@pytest.mark.parametrize(
    "mean",
    [
        np.zeros((5, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.float64),
        np.full((4, 4, 3), np.nan, np.float32),
        np.full((4, 4, 3), 256, np.float32),
        np.array({"a": 1}, object),
    ],
)
def test_other_mean_images_are_refused(tmp_path, mean):
    write_info(tmp_path, INFO)
    np.save(tmp_path / "mean_image.npy", mean, allow_pickle=True)
    with pytest.raises(DatasetError, match="mean_image"):
        read_mean_image(tmp_path)


def test_a_missing_mean_image_is_refused(tmp_path):
    write_info(tmp_path, INFO)
    with pytest.raises(DatasetError, match="cannot read the mean image"):
        read_mean_image(tmp_path)
