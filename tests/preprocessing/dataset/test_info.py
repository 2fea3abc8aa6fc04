"""The dataset directory: names, dataset_info.json, the mean image."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.dataset.info import (
    ClassName,
    ColorStatistics,
    DatasetInfo,
    Shard,
    StoredFile,
    read_info,
    serialize_info,
    write_info,
)
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
    class_counts={"train": (5, 4), "validation": (0, 2)},
    files={
        "mean_image.npy": StoredFile(320, "3" * 64),
        "mean_image.png": StoredFile(100, "4" * 64),
        "rejects.jsonl": StoredFile(0, "5" * 64),
    },
)
# As a program of format version 1 wrote it: it said nothing of the other files, or of itself.
OLD = dataclasses.replace(INFO, files={}, class_counts={}, format_version=1)


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
        (
            {"format_version": 1, "files": {}, "class_counts": {}},
            False,
        ),  # runs begun on version 1 go on with version 2
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


@pytest.mark.parametrize("method", ["stat", "read_bytes"])
def test_what_may_not_be_read_is_told(tmp_path, monkeypatch, method):
    """As it is for whoever is not root: of a folder, or of the file alone."""
    write_info(tmp_path, INFO)

    def denied(self, **_):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, method, denied)
    with pytest.raises(DatasetError, match=r"^cannot read \S+info\.json: Permission denied$"):
        read_info(tmp_path)


def test_another_format_version_names_both(tmp_path):
    write_info(tmp_path, dataclasses.replace(INFO, format_version=7))
    with pytest.raises(DatasetError, match=r"version 1 or 2, received version 7"):
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
            _damaged(lambda c: c.update(classes=[], class_counts={"train": []})),
            "expected classes, received none",
        ),
        (
            _damaged(lambda c: c["splits"]["train"][0].update(name="../../x")),
            "expected shard train",
        ),
        (_damaged(lambda c: c["splits"].update(evil=[{}])), "damaged"),
        (_damaged(lambda c: c["splits"].update(test=[])), "expected shards of the split test"),
        (_damaged(lambda c: c["classes"][0].update(text="\ud800")), "surrogates not allowed"),
        (_damaged(lambda c: c.update(splits={})), "expected the split train"),
        (_damaged(lambda c: c["splits"].pop("train")), "expected the split train"),
        (_damaged(lambda c: c["splits"].update(train=3)), "damaged"),
        (_damaged(lambda c: c["files"].pop("mean_image.npy")), "expected the files"),
        (_damaged(lambda c: c["files"].update({"../x": {}})), "expected the files"),
        (_damaged(lambda c: c["files"]["rejects.jsonl"].update(bytes=-1)), "expected counts"),
        (
            _damaged(lambda c: c["class_counts"].update(train=[1])),
            "of 2 classes, received 1",
        ),
        (_damaged(lambda c: c["class_counts"].update(train=[-1, 2])), "expected counts of the"),
        (_damaged(lambda c: c["class_counts"].update(other=[1, 2])), "expected counts of the"),
        (_damaged(lambda c: c.update(rejects=["x"])), "rejects of another kind"),
        (_damaged(lambda c: c.update(format_version=True)), "received version True"),
        (_damaged(lambda c: None), "'checksum' is missing"),
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


def _paths(value, path=()):
    """The path of every number, text and truth value in parsed JSON."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in pairs:
        if isinstance(item, dict | list):
            yield from _paths(item, (*path, name))
        else:
            yield (*path, name)


CONTENT = json.loads(serialize_info(INFO))


@pytest.mark.parametrize("path", list(_paths(CONTENT)), ids=lambda path: ".".join(map(str, path)))
def test_any_other_value_is_noticed(tmp_path, path):
    """Whatever stands in the file: another value of the same kind does not go unseen."""
    content = json.loads(serialize_info(INFO))
    parent = content
    for name in path[:-1]:
        parent = parent[name]
    value = parent[path[-1]]
    if isinstance(value, str):
        parent[path[-1]] = ("0" if value[:1] != "0" else "1") + value[1:]
    else:
        parent[path[-1]] = not value if isinstance(value, bool) else value + 1
    (tmp_path / "dataset_info.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=r"damaged|version 1 or 2"):
        read_info(tmp_path)


def test_the_layout_of_the_json_does_not_matter(tmp_path):
    content = json.loads(serialize_info(INFO))
    text = json.dumps(dict(reversed(content.items())), separators=(",", ":"))
    (tmp_path / "dataset_info.json").write_text(text)
    assert read_info(tmp_path) == INFO


def test_format_version_1_is_read(tmp_path):
    write_info(tmp_path, OLD)
    content = json.loads((tmp_path / "dataset_info.json").read_text())
    assert not {"files", "class_counts", "checksum"} & set(content)
    assert read_info(tmp_path) == OLD
    assert OLD.fingerprint == INFO.fingerprint


@pytest.mark.parametrize("field", ["files", "class_counts", "checksum"])
def test_version_1_is_no_way_around_the_checksum(tmp_path, field):
    content = {**json.loads(serialize_info(OLD)), field: CONTENT[field]}
    (tmp_path / "dataset_info.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="neither files nor a checksum in format version 1"):
        read_info(tmp_path)
