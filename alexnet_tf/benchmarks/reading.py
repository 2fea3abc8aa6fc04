"""benchmark input: records to batches, beside the bare decoding of the same crops."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from alexnet_tf.benchmarks.table import Row, Table
from alexnet_tf.benchmarks.timing import measure
from alexnet_tf.config import DataConfig
from alexnet_tf.data.reader import Share, Split, training_batches

SAMPLE = 2048  # records that the bare loop keeps in memory


def table(split: Split, size: int, batch: int, seconds: float) -> Table:
    """Pictures a second through the whole training input, and of the bare loop."""
    batches = training_batches(split, DataConfig(), size, Share(batch), seed=0)
    cases = {"input": _drain(batches, batch), "bare decoding": _bare(split, size, batch)}
    rates = measure(cases, seconds)
    rows = [
        Row("records → batches", rates["input"].median, rates["bare decoding"].median),
        Row("bare decoding", rates["bare decoding"].median),
    ]
    facts = {
        "dataset": f"{split.info.encoding}, {split.info.image_size} px, crops of {size},"
        f" batch {batch}, {len(split.info.splits[split.name])} shards",
    }
    return Table("training input", "pictures/s", rows, facts)


def _drain(dataset: tf.data.Dataset, batch: int) -> Callable[[], float]:
    iterator = iter(dataset)

    def case() -> float:
        next(iterator)
        return float(batch)

    return case


def _bare(split: Split, size: int, batch: int) -> Callable[[], float]:
    """Only the decoder on pictures in memory, at random offsets, on all cores."""
    feature = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
    records = tf.data.TFRecordDataset(split.paths).take(SAMPLE)
    parsed = records.map(lambda record: tf.io.parse_single_example(record, feature))
    encoded = tf.stack([element["image/encoded"] for element in parsed])
    side, margin = split.info.image_size, split.info.image_size - size

    def decode(data):
        y, x = tf.unstack(tf.random.uniform([2], 0, margin + 1, tf.int32))
        if split.info.encoding == "raw":
            picture = tf.reshape(tf.io.decode_raw(data, tf.uint8), [side, side, 3])
            return picture[y : y + size, x : x + size]
        return tf.image.decode_and_crop_jpeg(data, [y, x, size, size], channels=3)

    dataset = tf.data.Dataset.from_tensor_slices(encoded).repeat()
    dataset = dataset.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    return _drain(dataset.batch(batch).prefetch(2), batch)
