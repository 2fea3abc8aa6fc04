"""A dataset's files against dataset_info.json, when it is opened."""

import os
import shutil

import pytest

from preprocessing.dataset.info import read_info
from preprocessing.dataset.integrity import check_files, check_shard
from preprocessing.errors import DatasetError
from tests import tiny_datasets

FIRST, SECOND = "train-00000-of-00003", "train-00001-of-00003"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    tiny_datasets.write(folder, size=8, counts={"train": 9, "validation": 3})
    return folder


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy")


def test_a_sound_dataset(made):
    info = read_info(made)
    check_files(made, info)
    for shards in info.splits.values():
        for shard in shards:
            check_shard(made, shard)


def emptied(path):
    path.write_bytes(b"")


def lengthened(path):
    path.write_bytes(path.read_bytes() + b"x")


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def removed(path):
    path.unlink()


def turned_into_a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [emptied, lengthened, cut, removed, turned_into_a_folder])
def test_missing_shards_and_other_sizes_are_named_in_one_line(copy, damage):
    info = read_info(copy)
    damage(copy / FIRST)
    with pytest.raises(DatasetError, match=FIRST) as caught:
        check_files(copy, info)
    assert "\n" not in str(caught.value)
    assert f"python -m preprocessing verify {copy}" in str(caught.value)
    with pytest.raises(DatasetError, match=FIRST):
        check_files(copy, info, ["train"])
    check_files(copy, info, ["validation"])


def test_of_many_problems_a_few_are_named(copy):
    info = read_info(copy)
    for shards in info.splits.values():
        for shard in shards:
            (copy / shard.name).unlink()
    with pytest.raises(DatasetError, match="and 3 more"):
        check_files(copy, info)


def test_no_directory(copy):
    info = read_info(copy)
    shutil.rmtree(copy)
    with pytest.raises(DatasetError, match="cannot list"):
        check_files(copy, info)


def test_a_flipped_bit_and_swapped_shards(copy):
    """Of the right size: only the bytes tell."""
    info = read_info(copy)
    first, second = info.splits["train"][:2]
    data = bytearray((copy / FIRST).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / FIRST).write_bytes(data)
    check_files(copy, info)
    with pytest.raises(DatasetError, match="has not the checksum"):
        check_shard(copy, first)
    check_shard(copy, second)
    (copy / SECOND).rename(copy / "aside")
    (copy / FIRST).rename(copy / SECOND)
    with pytest.raises(DatasetError, match=f"{SECOND}.* has not the checksum"):
        check_shard(copy, second)
    with pytest.raises(DatasetError, match="cannot read the shard"):
        check_shard(copy, first)


def test_what_may_not_be_read_is_named(made, monkeypatch):
    """As it is for whoever is not root."""
    may = lambda path, _mode: not path.endswith(SECOND)  # noqa: E731
    monkeypatch.setattr(os, "access", may)
    with pytest.raises(DatasetError, match=f"describes: {SECOND}: it may not be read"):
        check_files(made, read_info(made))
    check_files(made, read_info(made), ["validation"])
