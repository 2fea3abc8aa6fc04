"""data.cache: the same batches, bit for bit, and nothing is read from the dataset's files again."""

import dataclasses
import errno
import itertools
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.config.schema import DataConfig
from alexnet_tf.data import cache, memory, reader
from alexnet_tf.data.split import Share, Split
from alexnet_tf.errors import ConfigError, JobError
from preprocessing.errors import DatasetError
from tests import tiny_datasets

KINDS = ("memory", "pixels", "disk")
STEPS = 7  # an epoch of 50 records in batches of 8


@pytest.fixture(params=["jpeg", "raw"])
def data(request, tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_TF_CACHE", str(tmp_path / "cache"))
    counts = {"train": 50, "validation": 13}
    info = tiny_datasets.write(
        tmp_path / "data", classes=50, counts=counts, size=24, encoding=request.param, shards=4
    )
    return {name: Split(tmp_path / "data", info, name) for name in counts}


def assert_same(received, expected):
    for mine, other in zip(received, expected, strict=True):
        for key in other:
            np.testing.assert_array_equal(mine[key], other[key], err_msg=key)


def training(split, config, share, start=(0, 0)):
    count = (2 * STEPS - start[0] * STEPS - start[1]) * share.replicas
    stream = reader.training_batches(split, config, 16, share, 0, start)
    return list(itertools.islice(stream.as_numpy_iterator(), count))


def evaluation(split, share):
    return list(reader.evaluation_batches(split, 16, share).as_numpy_iterator())


@pytest.mark.parametrize("order", ["shuffled", pytest.param("fixed", marks=pytest.mark.slow)])
def test_a_cache_changes_no_batch(data, order):
    """Two epochs, restarts in the middle of them, two workers of two replicas, and validation."""
    config = DataConfig(order=order, shuffle_buffer=16, chunk=3)
    shares = [Share(8), *(Share(8, 2, 2, worker) for worker in range(2))]
    cases = list(zip(shares, ((0, 0), (0, 3), (1, 4)), strict=True))
    expected = [training(data["train"], config, *case) for case in cases]
    validation = [evaluation(data["validation"], share) for share in shares]
    near = {kind: {name: cache.cached(data[name], kind) for name in data} for kind in KINDS}
    shutil.rmtree(data["train"].directory)
    for splits in near.values():
        for case, batches in zip(cases, expected, strict=True):
            assert_same(training(splits["train"], config, *case), batches)
        for share, batches in zip(shares, validation, strict=True):
            assert_same(evaluation(splits["validation"], share), batches)


def test_none_is_the_split_itself(data):
    assert cache.cached(data["train"], "none") is data["train"]


def test_a_changed_dataset_is_not_mistaken_for_its_copies(data, tmp_path):
    old = cache.cached(data["train"], "disk")
    info = tiny_datasets.write(tmp_path / "data", counts={"train": 50}, size=24, shards=4, seed=1)
    changed = Split(tmp_path / "data", info, "train")
    new = cache.cached(changed, "disk")
    assert old.directory != new.directory
    assert_same(evaluation(new, Share(8)), evaluation(changed, Share(8)))


def test_a_place_that_cannot_be_is_told(data, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for name in ("x" * 300, "file", "file/below"):
        monkeypatch.setenv("ALEXNET_TF_CACHE", str(tmp_path / name))
        with pytest.raises(ConfigError, match=r"data\.cache: disk: cannot copy to "):
            cache.cached(data["train"], "disk")


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EACCES, ConfigError), (errno.ENOSPC, JobError), (errno.EIO, JobError)],
)
@pytest.mark.parametrize("function", ["_is_copy", "_copy"])
def test_a_disk_that_would_not_is_no_mistake(data, monkeypatch, number, kind, function):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(cache, function, refuse)
    with pytest.raises(kind, match=rf"data\.cache: disk: cannot copy to .*{os.strerror(number)}"):
        cache.cached(data["train"], "disk")


def test_without_a_home_the_cache_is_where_it_is_said_to_be(tmp_path, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("ALEXNET_TF_CACHE", str(tmp_path))
    assert cache.directory() == tmp_path
    monkeypatch.delenv("ALEXNET_TF_CACHE")
    with pytest.raises(ConfigError, match=r"data\.cache: disk expects a home directory"):
        cache.directory()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.directory() == tmp_path / "alexnet_tf"


def test_an_interrupted_copying_goes_on_and_leaves_nothing_half_made(data, monkeypatch):
    """The third of four shards fails: two are there; the next time only the others are copied."""
    copied, copy = [], cache._copy

    def failing(source, target, shard, tick):
        if len(copied) == 2:
            copy(source, target, shard, interrupted)
        copied.append(shard.name)
        copy(source, target, shard, tick)

    def interrupted(_count):
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "_copy", failing)
    with pytest.raises(KeyboardInterrupt):
        cache.cached(data["train"], "disk")
    (target,) = cache.directory().iterdir()
    assert sorted(path.name for path in target.iterdir()) == copied
    first, copied[:] = list(copied), []
    monkeypatch.setattr(cache, "_copy", lambda *given: (copied.append(given[2].name), copy(*given)))
    cache.cached(data["train"], "disk")
    assert sorted(first + copied) == [shard.name for shard in data["train"].info.splits["train"]]


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_is_refused(data, kind, monkeypatch):
    monkeypatch.setattr(cache, "available_memory", lambda: 1000)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    with pytest.raises(ConfigError, match=rf"data.cache: {kind} expects 0.0 GB .* received"):
        cache.cached(data["train"], kind)


def test_pixels_take_their_own_memory_once(data, monkeypatch):
    """What is free is a tenth more than the pixels of 50 images and a blank one."""
    monkeypatch.setattr(cache, "available_memory", lambda: 51 * 24 * 24 * 3 * 10 // 9 + 1)
    split = cache.cached(data["train"], "pixels")
    assert split.memory.images.shape == [51, 24, 3 * 24]
    for stream in (
        reader.training_batches(split, DataConfig(), 16, Share(8), 0),
        reader.evaluation_batches(split, 16, Share(8)),
    ):  # or tf.data copies what its functions read
        assert not stream.options().experimental_optimization.apply_default_optimizations


def damage(split):
    """The second shard, by one bit."""
    path = Path(split.paths[1])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["memory", "pixels"])
def test_damaged_shards_are_not_kept(data, kind):
    damage(data["train"])
    with pytest.raises(DatasetError, match=r"whole records .*DataLossError.*verify"):
        cache.cached(data["train"], kind)


def test_damaged_shards_are_not_copied(data):
    damage(data["train"])
    with pytest.raises(DatasetError, match=r"other bytes.*verify"):
        cache.cached(data["train"], "disk")
    (target,) = cache.directory().iterdir()
    assert len(list(target.iterdir())) == 1  # the one before it


@pytest.mark.parametrize("kind", ["memory", "pixels"])
def test_another_number_of_records_is_noticed(data, kind):
    split = data["train"]
    shutil.copyfile(split.paths[0], split.paths[3])  # 13 records in place of 12
    with pytest.raises(DatasetError, match=r"train-00003-of-00004: \d+ bytes, expected \d+"):
        cache.cached(split, kind)
    *shards, last = split.info.splits["train"]
    shards.append(dataclasses.replace(last, bytes=Path(split.paths[3]).stat().st_size))
    splits = {**split.info.splits, "train": tuple(shards)}
    split = dataclasses.replace(split, info=dataclasses.replace(split.info, splits=splits))
    with pytest.raises(DatasetError, match=r"expected 50 records.*verify"):
        cache.cached(split, kind)


def test_a_system_without_large_pages_keeps_pixels_all_the_same(data, monkeypatch):
    monkeypatch.setattr(memory.mmap, "MADV_HUGEPAGE", -1, raising=False)  # no advice it knows
    split = cache.cached(data["train"], "pixels")
    assert_same(evaluation(split, Share(8)), evaluation(data["train"], Share(8)))
