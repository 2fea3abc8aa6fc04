"""A split's records in memory: filled once and in place, and read without a copy."""

from __future__ import annotations

import contextlib
import math
import mmap
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from alexnet_tf.data.crops import ENCODED, LABEL, PARSED, crop_of, rows_of
from preprocessing.dataset.info import DatasetInfo

AT_ONCE = (64, 4 << 20)  # records, and bytes of pixels, that are filled in at a time, at most


@dataclass(frozen=True, eq=False)
class Memory:
    """Images and labels of the records in stored order, and of a blank one after them.

    Of all records, or of those in a split's first shards, if it reads no others.

    `images`: string [records + 1], as they are encoded, or their pixels' rows, uint8 [records +
    1, side, 3·side], from which a crop is cut without copying the rest. `labels`: int32 [records +
    1].
    """

    images: tf.Tensor
    labels: tf.Tensor

    @property
    def blank(self) -> tf.Tensor:
        """The blank record's number, int64 []."""
        return tf.constant(self.labels.shape[0] - 1, tf.int64)

    def crops(self, numbers: tf.Tensor, info: DatasetInfo, offsets: tf.Tensor, size: int) -> tuple:
        """As `crops.decode_crops`, of the records of these numbers, int64 [n]."""
        pairs = zip(tf.unstack(numbers), tf.unstack(offsets), strict=True)
        crops = [crop_of(self.images[number], info, offset, size) for number, offset in pairs]
        weights = tf.cast(numbers < self.labels.shape[0] - 1, tf.float32)
        return tf.stack(crops), tf.gather(self.labels, numbers), weights


def filled(
    records: tf.data.Dataset, count: int, info: DatasetInfo, pixels: bool, blank: bytes
) -> Memory | None:
    """The memory of `count` records and a blank one; None where there are fewer or more.

    Args: records, string [] each; pixels, whether they are decoded.
    """
    if not pixels:
        records = records.concatenate(tf.data.Dataset.from_tensors(blank))
        parts = records.map(_encoded, num_parallel_calls=tf.data.AUTOTUNE)
        images, labels = parts.batch(count + 2).take(1).get_single_element()
        return Memory(images, labels) if labels.shape[0] == count + 1 else None
    images = _zeros((count + 1, info.image_size, 3 * info.image_size))
    labels = np.zeros(count + 1, np.int32)
    begin = 0
    for image, label in _decoded(records, info).prefetch(1).as_numpy_iterator():
        end = begin + len(label)
        if end > count:
            return None
        images[begin:end], labels[begin:end] = image, label
        begin = end
    if begin < count:
        return None
    # `tf.constant` would copy it.
    return Memory(tf.experimental.dlpack.from_dlpack(images.__dlpack__()), tf.constant(labels))


def without_copies(stream: tf.data.Dataset) -> tf.data.Dataset:
    """The stream of a split in memory: tf.data's rewriting of a pipeline would copy the images that
    its functions read, for each of its iterators."""
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    return stream.with_options(options)


@tf.autograph.experimental.do_not_convert
def _encoded(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What is kept of a record, string [], or of several, string [n]: images and labels."""
    parse = tf.io.parse_single_example if record.shape.rank == 0 else tf.io.parse_example
    parsed = parse(record, PARSED)
    return parsed[ENCODED], tf.cast(parsed[LABEL], tf.int32)


def _decoded(records: tf.data.Dataset, info: DatasetInfo) -> tf.data.Dataset:
    """Several records at a time: rows of pixels, uint8 [n, side, 3·side], labels int32 [n]."""
    side = info.image_size
    most = max(1, min(AT_ONCE[0], AT_ONCE[1] // (3 * side**2)))

    @tf.autograph.experimental.do_not_convert
    def jpeg(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        encoded, label = _encoded(record)
        return rows_of(encoded, info), label

    @tf.autograph.experimental.do_not_convert
    def raw(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        encoded, labels = _encoded(records)
        return tf.reshape(tf.io.decode_raw(encoded, tf.uint8), [-1, side, 3 * side]), labels

    if info.encoding == "raw":  # whose cost is the calls, not the decoding
        return records.batch(most).map(raw, num_parallel_calls=tf.data.AUTOTUNE)
    return records.map(jpeg, num_parallel_calls=tf.data.AUTOTUNE).batch(most)


def _zeros(shape: tuple[int, ...]) -> np.ndarray:
    """uint8; in large pages where the system has them, a page of 4 KiB at a time being slow."""
    room = mmap.mmap(-1, math.prod(shape))
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a system without them refuses the advice
            room.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(room, np.uint8).reshape(shape)
