"""data.fraction: which records are trained on, in every cache, and what is not read for them."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from alexnet_tf.config.schema import DataConfig, HeldOut
from alexnet_tf.data import reader
from alexnet_tf.data.cache import cached
from alexnet_tf.data.split import Share, Split
from alexnet_tf.data.training_data import TrainingData
from alexnet_tf.data.verification import ShardVerifier, compare_all
from alexnet_tf.errors import ConfigError
from preprocessing.dataset.info import Shard
from preprocessing.errors import DatasetError
from tests import tiny_datasets
from tests.alexnet_tf.data.test_training_data import labels_of, stored_labels

KINDS = ("none", "memory", "pixels", "disk")
KEPT, BATCHES = 20, 3  # of 50 records; batches of 8


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """Four shards of 13, 13, 12 and 12 records, whose labels number them: 20 are in two of them."""
    monkeypatch.setenv("ALEXNET_TF_CACHE", str(tmp_path / "cache"))
    path, counts = tmp_path / "data", {"train": 50, "validation": 8}
    info = tiny_datasets.write(path, classes=50, counts=counts, size=24, shards=4)
    return Split(path, info, "train")


def read(split, start=(0, 0), order="shuffled"):
    stream = reader.training_batches(
        split, DataConfig(order=order, chunk=3), 16, Share(8), 0, start
    )
    count = (2 - start[0]) * BATCHES - start[1]
    return list(itertools.islice(stream.as_numpy_iterator(), count))


@pytest.mark.parametrize("order", [pytest.param("fixed", marks=pytest.mark.slow), "shuffled"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_records_in_stored_order(whole, kind, order):
    stored = stored_labels(whole)[:KEPT]
    batches = read(cached(whole.first(KEPT / 50), kind), order=order)
    epochs = [labels_of(batches[:BATCHES]), labels_of(batches[BATCHES:])]
    assert [sorted(epoch) for epoch in epochs] == 2 * [sorted(stored)]
    assert (epochs[0] == epochs[1]) == (order == "fixed")
    for one, other in zip(batches, read(whole.first(KEPT / 50), order=order), strict=True):
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)


@pytest.mark.parametrize("start", [(0, 1), (1, 2)])
def test_a_restart_goes_on_exactly(whole, start):
    part = whole.first(KEPT / 50)
    expected = read(part)[start[0] * BATCHES + start[1] :]
    for one, other in zip(read(part, start), expected, strict=True):
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)


@pytest.mark.parametrize("kind", KINDS)
def test_shards_after_it_are_not_read(whole, kind):
    part, kept = whole.first(KEPT / 50), sorted(stored_labels(whole)[:KEPT])
    for path in whole.paths[2:]:
        Path(path).unlink()
    near = cached(part, kind)
    compare_all(part)
    ShardVerifier(near).check()
    assert sorted(labels_of(read(near)[:BATCHES])) == kept
    with pytest.raises(DatasetError, match="missing"):
        compare_all(whole)


def test_a_damaged_shard_among_them_is_found(whole):
    part = whole.first(KEPT / 50)
    path = Path(whole.paths[1])
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=path.name):
        compare_all(part)


def test_what_is_held_out_is_of_the_fraction(whole):
    stored = stored_labels(whole)
    data = TrainingData(whole.first(KEPT / 50), held_out=HeldOut(fraction=0.25, until_epoch=1))
    stream = data.batches(DataConfig(), 16, Share(8), 0).as_numpy_iterator()
    batches = list(itertools.islice(stream, 2 + BATCHES))
    assert sorted(labels_of(batches[:2])) == sorted(stored[:15])
    assert sorted(labels_of(batches[2:])) == sorted(stored[:KEPT])
    seen = reader.evaluation_batches(data.left_out, 16, Share(8)).as_numpy_iterator()
    assert labels_of(seen) == stored[15:KEPT]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.floats(0.1, 1), st.floats(0.1, 1))
@example([1, 0], 1.0, 1.0)
def test_smaller_parts_are_within_larger_ones(stored, one, other):
    """Against the records themselves, written out."""
    total = sum(stored)
    low, high = sorted((one, other))
    assume(round(low * total))
    shards = tuple(Shard(f"{i}", count, 0, "") for i, count in enumerate(stored))
    split = Split("", SimpleNamespace(splits={"train": shards}), "train")
    shard_of = np.repeat(np.arange(len(stored)), stored)
    for fraction in (low, high):
        part, kept = split.first(fraction), shard_of[: round(fraction * total)]
        assert part.counts == np.bincount(kept, minlength=len(stored)).tolist()
        read = shards if fraction == 1 else shards[: kept[-1] + 1]  # all: empty last ones, too
        assert part.shards == read


def test_all_is_the_split_itself_and_nothing_is_refused(whole):
    assert whole.first(1.0) is whole
    with pytest.raises(ConfigError, match=r"data\.fraction: expected at least one of the 50 train"):
        whole.first(0.001)
