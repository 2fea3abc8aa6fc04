"""benchmark input: records to batches, beside the bare decoding of the same crops."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from alexnet_tf.benchmarks.table import Row, Table
from alexnet_tf.benchmarks.timing import measure
from alexnet_tf.config.schema import DataConfig
from alexnet_tf.data.cache import cached
from alexnet_tf.data.crops import ENCODED, PARSED, crop_of
from alexnet_tf.data.reader import training_batches
from alexnet_tf.data.split import Share, Split
from alexnet_tf.errors import ConfigError
from preprocessing.dataset.info import Shard
from preprocessing.dataset.names import shard_name

CACHES = {"jpeg": ("memory", "pixels"), "raw": ("pixels",)}
SAMPLE = 2048  # records that the bare loop keeps in memory
# Of --scaling: (shards, records).
SHARDS = tuple((shards, 5_000) for shards in (1, 4, 16, 64, 256))
RECORDS = ((64, 500), (64, 50_000))


def table(split: Split, size: int, batch: int, seconds: float) -> Table:
    """Images a second through the whole training input, and of its parts alone."""
    facts = _facts(split, size, batch)
    cases = {"records → batches": input_case(split, DataConfig(), size, batch)}
    for kind in CACHES[split.info.encoding]:
        try:
            near = cached(split, kind)
        except ConfigError as error:  # the rest can be measured all the same
            facts[f"no {kind}"] = str(error)
        else:
            cases[f"… with data.cache: {kind}"] = input_case(near, DataConfig(), size, batch)
    parts = {"bare decoding": _bare(split, size, batch), "bare reading": _reading(split, batch)}
    rates = measure({**cases, **parts}, seconds, settling=seconds)
    limit = rates["bare decoding"]
    rows = [Row(name, rates[name], limit) for name in cases]
    rows += [Row(name, rates[name]) for name in parts]
    return Table("training input", "images/s", rows, facts)


def scaling(split: Split, size: int, batch: int, seconds: float) -> Table:
    """Images a second against number of shards and of records, each beside the bare decoding.

    The dataset's records are repeated under other names, in a temporary directory.
    """
    bare, rows = _bare(split, size, batch), []
    with tempfile.TemporaryDirectory(prefix="alexnet_tf-") as directory:
        for shards, records in tqdm((*SHARDS, *RECORDS), desc="cases", mininterval=1):
            grown = _grown(split, Path(directory) / f"{shards}-{records}", shards, records)
            case = input_case(grown, DataConfig(), size, batch)
            rates = measure({"input": case, "bare": bare}, seconds, rounds=3, settling=seconds)
            count = sum(grown.counts)
            what = f"{shards:3} shards, {count:6,} records"
            rows.append(Row(what, rates["input"], rates["bare"]))
    return Table("training input by size", "images/s", rows, _facts(split, size, batch))


def input_case(split: Split, config: DataConfig, size: int, batch: int) -> Callable[[], float]:
    """A case of `measure`: the next batch of one replica; its padding is no image."""
    iterator = iter(training_batches(split, config, size, Share(batch), seed=0))

    def case() -> float:
        return float(next(iterator)["weight"].numpy().sum())

    return case


def _facts(split: Split, size: int, batch: int) -> dict[str, float | str]:
    return {
        "dataset": f"{split.info.encoding}, {split.info.image_size} px, crops of {size},"
        f" batch {batch}, {len(split.counts)} shards, {sum(split.counts):,} records",
        "limit": "bare decoding, in turns with the figure",
    }


def _drain(dataset: tf.data.Dataset, count: int) -> Callable[[], float]:
    iterator = iter(dataset)

    def case() -> float:
        next(iterator)
        return float(count)

    return case


def _bare(split: Split, size: int, batch: int) -> Callable[[], float]:
    """Only the decoder on images in memory, at random offsets, on all cores."""
    records = tf.data.TFRecordDataset(split.paths).take(SAMPLE)
    parsed = records.map(lambda record: tf.io.parse_single_example(record, PARSED))
    encoded = tf.stack([element[ENCODED] for element in parsed])
    margin = split.info.image_size - size
    offsets = np.random.default_rng(0).integers(0, margin + 1, (len(encoded), 2), dtype=np.int32)
    dataset = tf.data.Dataset.from_tensor_slices((encoded, offsets)).repeat()
    dataset = dataset.map(
        lambda data, offset: crop_of(data, split.info, offset, size),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return _drain(dataset.batch(batch).prefetch(2), batch)


def _reading(split: Split, batch: int) -> Callable[[], float]:
    """Only the records' bytes out of their files, one after the other."""
    records = split.records(split.paths).repeat()
    return _drain(records.batch(batch).prefetch(2), batch)


def _grown(split: Split, directory: Path, shards: int, records: int) -> Split:
    """A split of so many shards, all of them one file under several names."""
    count = -(-records // shards)
    directory.mkdir()
    stored = directory / "shard"
    originals = tf.data.TFRecordDataset(split.paths).repeat().as_numpy_iterator()
    with tf.io.TFRecordWriter(str(stored)) as writer:
        for record in itertools.islice(originals, count):
            writer.write(record)
    rows = []
    for index in range(shards):
        name = shard_name(split.name, index, shards)
        (directory / name).symlink_to(stored)
        rows.append(Shard(name, count, stored.stat().st_size, "0" * 64))
    splits = {split.name: tuple(rows)}
    return Split(directory, dataclasses.replace(split.info, splits=splits), split.name)
