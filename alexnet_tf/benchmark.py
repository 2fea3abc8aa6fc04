"""python -m alexnet_tf.benchmark lrn|local|input|train|start|export: figures beside limits."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence

from alexnet_tf import cli
from alexnet_tf.config import files as config_files
from alexnet_tf.errors import ConfigError
from preprocessing.dataset.info import read_info

if not cli.HELP:  # which needs none of these, and TensorFlow takes seconds to load
    from alexnet_tf.benchmarks import (
        growth,
        local_layers,
        normalization,
        reading,
        serving,
        starting,
        training,
    )
    from alexnet_tf.benchmarks.table import Table
    from alexnet_tf.data.cache import cached
    from alexnet_tf.data.reader import check_sizes
    from alexnet_tf.data.split import Split
    from alexnet_tf.serving.load import load_saved_model


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    table: Table = arguments.measure(arguments)
    print(table.text())
    if arguments.json:
        with cli.writing(arguments.json):
            table.write_json(arguments.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(prog="python -m alexnet_tf.benchmark", description=__doc__)
    verbs = parser.add_subparsers(required=True)

    def verb(
        name: str, measure: Callable[[argparse.Namespace], Table], help: str, turns: bool = True
    ) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=help)
        added.set_defaults(measure=measure)
        added.add_argument("--json", metavar="FILE", help="write the figures there as well")
        if turns:
            added.add_argument(
                "--seconds", type=float, default=2.0, help="a case and round; default 2"
            )
        return added

    lrn = verb("lrn", _lrn, "normalization by implementation and dtype")
    lrn.add_argument("--batch-size", type=int, default=32)
    local = verb("local", _local, "locally connected layers")
    local.add_argument("--batch-size", type=int, default=128)
    read = verb("input", _input, "records to batches")
    read.add_argument("--data", required=True, help="dataset directory")
    read.add_argument("--size", type=int, default=224, help="of a crop; default 224")
    read.add_argument("--batch-size", type=int, default=128)
    read.add_argument(
        "--scaling", action="store_true", help="the rate against number of shards and of records"
    )
    train = verb("train", _train, "the training step")
    train.add_argument("--config", default="paper", help="default: the paper's")
    train.add_argument("--data", help="dataset directory: measures the step fed from it, too")
    train.add_argument(
        "--feeding", action="store_true", help="only: from records beside one batch in memory"
    )
    train.add_argument(
        "--scaling", action="store_true", help="only: the step by batch size and width"
    )
    train.add_argument("overrides", nargs="*", metavar="section.key=value")
    start = verb(
        "start", _start, "seconds to a training's first step, and to a prediction", turns=False
    )
    start.add_argument("--config", default="demo", help="default: the demo's")
    start.add_argument("--data", required=True, help="dataset directory")
    start.add_argument(
        "--predict", nargs=2, metavar=("MODEL", "IMAGE"), help="also: a SavedModel's, of an image"
    )
    start.add_argument("overrides", nargs="*", metavar="section.key=value")
    export = verb("export", _export, "a SavedModel")
    export.add_argument("--model", required=True, help="directory of the SavedModel")
    return parser


def _lrn(arguments: argparse.Namespace) -> Table:
    return normalization.table(arguments.batch_size, arguments.seconds)


def _local(arguments: argparse.Namespace) -> Table:
    return local_layers.table(arguments.batch_size, arguments.seconds)


def _input(arguments: argparse.Namespace) -> Table:
    split = _training_split(arguments.data)
    check_sizes(split.info, arguments.size)
    table = reading.scaling if arguments.scaling else reading.table
    return table(split, arguments.size, arguments.batch_size, arguments.seconds)


def _train(arguments: argparse.Namespace) -> Table:
    config = config_files.load(arguments.config, arguments.overrides)
    split = _training_split(arguments.data) if arguments.data else None
    if split is not None:
        config = config.with_classes(len(split.info.classes))
        check_sizes(split.info, config.network.input_size)
        split = cached(split, config.data.cache)
    if arguments.feeding:
        if split is None:
            raise ConfigError("--feeding: expected --data beside it, received none")
        return training.feeding(config, split, arguments.seconds)
    if arguments.scaling:
        return growth.table(config, arguments.seconds)
    return training.table(config, split, arguments.seconds)


def _start(arguments: argparse.Namespace) -> Table:
    config_files.load(arguments.config, arguments.overrides)  # a mistake is told before a process
    read_info(arguments.data)
    prediction = tuple(arguments.predict) if arguments.predict else None
    if prediction is not None:
        model, image = prediction
        load_saved_model(model)
        if not os.path.isfile(image):
            raise ConfigError(f"--predict: expected an image's file, received {image}")
    return starting.table(arguments.config, arguments.data, arguments.overrides, prediction)


def _export(arguments: argparse.Namespace) -> Table:
    return serving.table(arguments.model, arguments.seconds)


def _training_split(directory: str) -> Split:
    return Split(directory, read_info(directory), "train")


if __name__ == "__main__":
    cli.run(main)
