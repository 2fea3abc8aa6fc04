"""data.held_out: which records an epoch trains on, before and after there are more of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet_tf.config.schema import DataConfig, HeldOut
from alexnet_tf.data import reader
from alexnet_tf.data.cache import cached
from alexnet_tf.data.split import Share, Split, within
from alexnet_tf.data.training_data import TrainingData
from alexnet_tf.errors import ConfigError
from preprocessing.dataset.example import decode_example
from preprocessing.dataset.tfrecord import read_records
from tests import tiny_datasets

UNTIL = 2
BEFORE, AFTER = 5, 7  # batches of 8 of 40 records, and of 50


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """Of a dataset whose labels number the images, so that each can be told."""
    path = tmp_path_factory.mktemp("data")
    counts = {"train": 50, "validation": 13}
    info = tiny_datasets.write(path, classes=50, counts=counts, size=24, shards=4)
    return [Split(path, info, name) for name in counts]


@pytest.fixture(scope="module", params=["none", "memory", "pixels"])
def data(request, splits):
    near = (cached(split, request.param) for split in splits)
    return TrainingData(*near, HeldOut(fraction=0.2, until_epoch=UNTIL))


def stored_labels(split) -> list[int]:
    labels = []
    for path in split.paths:
        with open(path, "rb") as file:
            labels += [decode_example(record).label for record in read_records(file)]
    return labels


def labels_of(batches) -> list[int]:
    batches = list(batches)
    label, weight = (np.concatenate([b[key] for b in batches]) for key in ("label", "weight"))
    return label[weight == 1].tolist()


def read(data, config, start=(0, 0), count=None, share=None):
    stream = data.batches(config, 16, share or Share(8), 0, start)
    whole = UNTIL * BEFORE + 2 * AFTER
    return list(itertools.islice(stream.as_numpy_iterator(), count or whole))


def by_epoch(batches):
    early, late = batches[: UNTIL * BEFORE], batches[UNTIL * BEFORE :]
    parts = [early[:BEFORE], early[BEFORE:], late[:AFTER], late[AFTER:]]
    return [labels_of(part) for part in parts]


@pytest.mark.parametrize("order", ["fixed", "shuffled"])
def test_what_is_held_out_is_read_from_its_epoch_on(data, order):
    stored = stored_labels(data.train)
    epochs = by_epoch(read(data, DataConfig(order=order)))
    for epoch in epochs[:UNTIL]:
        assert sorted(epoch) == sorted(stored[:40])
    for epoch in epochs[UNTIL:]:
        assert sorted(epoch) == sorted(stored)
    assert (epochs[2] == epochs[3]) == (order == "fixed")


def test_the_last_part_in_stored_order_is_validated_on_meanwhile(data):
    stored = stored_labels(data.train)
    for epoch, expected in (
        (0, stored[40:]),
        (1, stored[40:]),
        (2, stored_labels(data.validation)),
    ):
        split = data.validated_on(epoch)
        seen = reader.evaluation_batches(split, 16, Share(8)).as_numpy_iterator()
        assert labels_of(seen) == expected
        assert (split.name == "train") == data.holds_out(epoch)


FURTHER = [0, 3, 2 * BEFORE - 1, 2 * BEFORE + 3]


@pytest.mark.parametrize(
    "done", [BEFORE, 2 * BEFORE, *(pytest.param(n, marks=pytest.mark.slow) for n in FURTHER)]
)
def test_a_stream_restarted_before_or_after_the_change_goes_on_exactly(data, done):
    before = min(done // BEFORE, UNTIL)
    start = (before, done - before * BEFORE)
    expected = read(data, DataConfig(chunk=3))[done:]
    received = read(data, DataConfig(chunk=3), start, len(expected))
    for one, other in zip(expected, received, strict=True):
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)


def test_replicas_and_workers_change_over_together(data):
    expected = read(data, DataConfig())
    parts = []
    for worker in range(2):
        share = Share(8, replicas=2, workers=2, worker=worker)
        batches = read(data, DataConfig(), count=2 * len(expected), share=share)
        parts.append([batches[i : i + 2] for i in range(0, len(batches), 2)])
    for whole, *shared in zip(expected, *parts, strict=True):
        joined = np.concatenate([part["label"] for worker in shared for part in worker])
        np.testing.assert_array_equal(joined, whole["label"])


def test_without_an_epoch_it_is_never_trained_on(splits):
    data = TrainingData(*splits, HeldOut(fraction=0.2))
    assert all(data.holds_out(epoch) for epoch in (0, 1, 10**6))
    labels = labels_of(read(data, DataConfig(), count=3 * BEFORE))
    assert sorted(labels) == sorted(3 * stored_labels(splits[0])[:40])


def test_nothing_held_out_is_the_whole_split(splits):
    data = TrainingData(*splits)
    assert data.trained_on(0) == splits[0]
    assert data.validated_on(0) == splits[1]
    assert not any(data.measure_changes_after(epoch) for epoch in (-1, 0, 1))


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_a_part_without_an_image_is_refused(splits, fraction):
    with pytest.raises(ConfigError, match=r"data\.held_out\.fraction: expected .* 50 training"):
        TrainingData(*splits, HeldOut(fraction=fraction))


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.data())
def test_a_range_of_records_by_shard(counts, data):
    """Against the records themselves, written out."""
    low = data.draw(st.integers(0, sum(counts)))
    high = data.draw(st.integers(low, sum(counts)))
    shard_of = np.repeat(np.arange(len(counts)), counts)
    for shard, (skip, take) in enumerate(within(counts, low, high)):
        mine = np.flatnonzero(shard_of == shard)
        kept = [i for i in mine if low <= i < high]
        assert take == len(kept)
        assert not kept or mine[skip] == kept[0]
