"""Data that is not what dataset_info.json describes is noticed: when opened, while read, after."""

import dataclasses
import io
import os
import shutil

import pytest
import tensorflow as tf

from alexnet_tf.config.schema import DataConfig
from alexnet_tf.data import cache, reader
from alexnet_tf.data.split import Share, Split
from alexnet_tf.data.verification import ShardVerifier, reading
from alexnet_tf.errors import DatasetError, JobError
from preprocessing.dataset.example import decode_example, encode_example
from preprocessing.dataset.tfrecord import frame, read_records
from tests import tiny_datasets

SHARE = Share(8)
OTHER_NUMBER = "another number of them than dataset_info.json says"


@pytest.fixture
def split(tmp_path) -> Split:
    """50 records in 4 shards."""
    counts = {"train": 50, "validation": 8}
    info = tiny_datasets.write(tmp_path / "data", counts=counts, size=24, encoding="jpeg", shards=4)
    return Split(tmp_path / "data", info, "train")


def shard(split: Split, number: int = 1):
    return split.directory / split.info.splits["train"][number].name


def rewrite(split: Split, change) -> None:
    """Replaces the second shard's records by what `change` makes of them."""
    path = shard(split)
    records = list(read_records(io.BytesIO(path.read_bytes())))
    path.write_bytes(b"".join(map(frame, change(records))))


def with_fields(**values):
    def change(records):
        return [encode_example(dataclasses.replace(decode_example(r), **values)) for r in records]

    return change


def read_as(split: Split, how: str) -> list:
    """One epoch's batches: seven of 8."""
    if how == "evaluation":
        stream = reader.evaluation_batches(split, 16, SHARE)
    else:
        stream = reader.training_batches(split, DataConfig(order=how), 16, SHARE, 0).take(7)
    with reading(split):
        return list(stream)


@pytest.mark.parametrize("how", ["shuffled", "evaluation"])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda records: [], OTHER_NUMBER),
        (lambda records: records[:-1], OTHER_NUMBER),
        (lambda records: [*records, records[0]], OTHER_NUMBER),
        (with_fields(label=4), "a label is out of range"),
        (with_fields(label=-2), "a label is out of range"),
        (with_fields(encoded=b"no image"), "an image cannot be decoded"),
        (lambda records: [b"no example"] * len(records), "one is no record of an image"),
    ],
)
def test_records_that_are_not_as_promised_end_the_reading(split, change, problem, how):
    assert len(read_as(split, how)) == 7
    rewrite(split, change)
    with pytest.raises(JobError, match=f"{problem}; see python -m preprocessing verify"):
        read_as(split, how)


@pytest.mark.parametrize("how", ["shuffled", "evaluation"])
def test_a_shard_that_is_gone_or_damaged_ends_the_reading(split, how):
    data = bytearray(shard(split).read_bytes())
    data[len(data) // 2] ^= 1
    shard(split).write_bytes(data)
    with pytest.raises(JobError, match="one is damaged"):
        read_as(split, how)
    shard(split).unlink()
    with pytest.raises(JobError, match="a shard is missing"):
        read_as(split, how)


def test_an_unlabelled_image_is_for_evaluation_alone(split):
    rewrite(split, with_fields(label=-1))
    assert len(read_as(split, "evaluation")) == 7
    with pytest.raises(JobError, match="a label is out of range"):
        read_as(split, "fixed")


def test_errors_from_elsewhere_are_left_alone(split):
    with pytest.raises(ZeroDivisionError), reading(split):
        _ = 1 / 0


def test_names_and_sizes_are_compared_when_it_is_opened(split):
    ShardVerifier(split).check()
    shard(split).write_bytes(b"")
    with pytest.raises(DatasetError, match="0 bytes, expected"):
        ShardVerifier(split)
    shard(split).unlink()
    with pytest.raises(DatasetError, match="the file is missing"):
        ShardVerifier(split)


def swapped(split: Split) -> None:
    """The second and the third shard, of one size, by renaming."""
    first, second = shard(split, 2), shard(split, 3)
    for path, name in ((first, "aside"), (second, first.name), (split.directory / "aside", None)):
        path.rename(split.directory / (name or second.name))


def same_size(split: Split) -> None:
    """One bit of the second shard."""
    data = bytearray(shard(split).read_bytes())
    data[-1] ^= 1
    shard(split).write_bytes(data)


@pytest.mark.parametrize("change", [swapped, same_size])
def test_other_bytes_of_the_same_size_are_noticed_in_the_first_epoch(split, change):
    change(split)
    if [s.bytes for s in split.info.splits["train"]][2:] == [
        path.stat().st_size for path in (shard(split, 2), shard(split, 3))
    ]:
        with pytest.raises(JobError, match="has not the checksum"):
            ShardVerifier(split).check()
    else:  # JPEG files of other sizes: at once
        with pytest.raises(DatasetError, match="bytes, expected"):
            ShardVerifier(split)


@pytest.mark.parametrize("change", [swapped, same_size, lambda s: shard(s).unlink()])
def test_a_change_after_the_first_epoch_is_noticed_at_the_end_of_the_next(split, change):
    verifier = ShardVerifier(split)
    verifier.check()
    verifier.check()
    change(split)
    with pytest.raises(JobError, match=r"has not the checksum|cannot be read"):
        verifier.check()


def test_a_shard_is_read_once_as_long_as_it_does_not_change(split, monkeypatch):
    compared = []
    monkeypatch.setattr(
        "alexnet_tf.data.verification.check_shard", lambda _, shard: compared.append(shard.name)
    )
    verifier = ShardVerifier(split)
    for _ in range(3):
        verifier.check()
    assert compared == [s.name for s in split.info.splits["train"]]
    os.utime(shard(split), ns=(1, 1))
    verifier.check()
    assert compared[4:] == [shard(split).name]


def test_copies_are_compared_too_and_the_advice_names_the_copy(split, tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_TF_CACHE", str(tmp_path / "cache"))
    copied = cache.cached(split, "disk")
    ShardVerifier(copied).check()
    path = copied.directory / shard(split).name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(JobError, match=rf"a copy made by data\.cache=disk: remove {path}"):
        ShardVerifier(cache.cached(split, "disk")).check()
    with pytest.raises(JobError, match=rf"a copy made by data\.cache=disk: remove {path.parent}"):
        read_as(copied, "evaluation")
    path.unlink()
    assert len(read_as(cache.cached(split, "disk"), "evaluation")) == 7


def test_what_may_not_be_read_is_told(split, monkeypatch):
    """As it is for whoever is not root: before anything is read, or while it is."""
    denied = tf.errors.PermissionDeniedError(None, None, "IteratorGetNext: x; Permission denied")
    told = "cannot be read: a shard may not be read; see"
    with pytest.raises(JobError, match=told), reading(split):
        raise denied
    monkeypatch.setattr(os, "access", lambda *_: False)
    for kind in ("memory", "pixels"):
        with pytest.raises(DatasetError, match="it may not be read"):
            cache.cached(split, kind)


@pytest.mark.parametrize("kind", ["memory", "pixels"])
def test_what_is_kept_in_memory_was_compared(split, kind):
    kept = cache.cached(split, kind)
    shutil.rmtree(split.directory)
    ShardVerifier(kept).check()  # nothing is read from files again


@pytest.mark.parametrize("kind", ["memory", "pixels"])
def test_another_shard_is_not_kept_in_memory(split, kind):
    shutil.copyfile(shard(split, 3), shard(split, 2))
    with pytest.raises(DatasetError, match=r"has not the checksum|bytes, expected"):
        cache.cached(split, kind)
