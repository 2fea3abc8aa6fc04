"""A dataset's split on which trained networks are measured."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from alexnet_tf.data import reader
from alexnet_tf.data.split import Split
from alexnet_tf.errors import ConfigError, RunError
from alexnet_tf.evaluation.ensemble import average
from alexnet_tf.evaluation.error_counts import ErrorCounts
from alexnet_tf.evaluation.predictions import Network, Predictions, predictions
from alexnet_tf.runs.directory import Run
from preprocessing.dataset.info import read_info


def open_split(runs: Sequence[Run], data: str | os.PathLike, name: str) -> Split:
    """The split `name` of the dataset in directory `data`.

    Raises:
        RunError: its classes are not those that every run was trained on.
        ConfigError: its images are smaller than a run's input; or of another size than those of a
            run with `data.mean: crop`, whose mean image has no values for their places.
        DatasetError: `data` is no complete dataset, or has no such split, or nothing in it.
    """
    info = read_info(data)
    info.num_examples(name)  # raises where there is no such split
    for run in runs:
        if run.info.classes != info.classes:
            raise RunError(
                f"expected the classes that {run.path} was trained on, received other ones in"
                f" {os.fspath(data)}"
            )
        reader.check_sizes(info, run.config.network.input_size)
        if run.config.data.mean == "crop" and info.image_size != run.info.image_size:
            raise ConfigError(
                f"expected images of {run.info.image_size} pixels, whose mean {run.path} subtracts"
                f" place by place (data.mean: crop), received {info.image_size} in"
                f" {os.fspath(data)}; convert them with --image-size {run.info.image_size}"
            )
    return Split(data, info, name).expect_examples()


def labelled(stream: Iterable[Predictions], split: str) -> Iterator[Predictions]:
    """The stream as it is. Raises ConfigError at the first image without a label."""
    for batch in stream:
        if (batch.labels < 0).any():
            raise ConfigError(
                f"--split: expected labelled images, {split!r} has unlabelled ones; their classes"
                " are told by python -m alexnet_tf.predict"
            )
        yield batch


def count_errors(networks: Sequence[Network], split: Split, view_count: int) -> ErrorCounts:
    """The errors of networks averaged, over a whole split. Raises as `labelled`."""
    counts = ErrorCounts(len(split.info.classes))
    for batch in labelled(predictions(networks, split, view_count), split.name):
        counts.add(batch.labels, average(batch.probabilities, [1.0] * len(networks)))
    return counts
