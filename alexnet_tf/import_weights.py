"""python -m alexnet_tf.import_weights: a run directory from torchvision's or Caffe's weights.

The result can be exported and predict, and `train` can begin with it (init_from.path). The classes'
names come from a dataset directory or a text file, as many as the file's and in the same order
(ImageNet's sorted WNIDs are), or are numbers. With a dataset it can be evaluated and trained on.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from alexnet_tf import cli
from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import Config, StrategyConfig
from alexnet_tf.errors import ConfigError, RunError
from alexnet_tf.foreign_weights.description import numbered, read_classes, write_description
from alexnet_tf.foreign_weights.files import open_arrays
from alexnet_tf.foreign_weights.formats import LAYOUTS, Layout, imported
from alexnet_tf.runs.lock import locked
from preprocessing.dataset.info import read_info

if not cli.HELP:  # which needs none of these, and TensorFlow takes seconds to load
    from alexnet_tf.data.reader import check_sizes
    from alexnet_tf.network import model as network
    from alexnet_tf.network.weights import weights_of
    from alexnet_tf.runs import directory as run_directory
    from alexnet_tf.runs.checkpoint_groups import training_groups
    from alexnet_tf.runs.checkpoints import Checkpoints
    from alexnet_tf.runs.directory import Run
    from alexnet_tf.training import strategy as strategies
    from alexnet_tf.training.loop import Progress
    from alexnet_tf.training.loss_scale import LossScale
    from alexnet_tf.training.optimizers.optimizer import Optimizer


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    layout = LAYOUTS[arguments.format]
    config = _config(layout, arguments)
    if arguments.data:
        info = read_info(arguments.data)
        check_sizes(info, config.network.input_size)
        config = config.with_classes(len(info.classes))
    with open_arrays(Path(arguments.input)) as stored:
        count = layout.classes(stored, config.network.num_classes)
        if not arguments.data:
            config = config.with_classes(count)
        elif count != config.network.num_classes:
            raise ConfigError(
                f"--data: expected a dataset of the weights' {count} classes, received one of"
                f" {config.network.num_classes}; to train them on other classes import them without"
                " --data and begin with them: python -m alexnet_tf.train, init_from.path=RUN"
            )
        weights = imported(layout, config.network, stored, arguments.input)
    run_directory.expect_place(arguments.run)
    with tempfile.TemporaryDirectory(prefix="alexnet_tf-") as made, locked(arguments.run):
        data = arguments.data or _described(arguments, config, Path(made))
        run = run_directory.begin(arguments.run, config, data)
        if Checkpoints(run.checkpoints).steps():
            raise RunError(f"expected a new run directory, received {run.path} with checkpoints")
        _save(run, weights)
    print(
        f"imported {len(weights)} arrays, {sum(w.size for w in weights.values()):,} numbers, into"
        f" {arguments.run} ({config.network.variant}); it can be exported, evaluated and trained on"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(
        prog="python -m alexnet_tf.import_weights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--format", required=True, choices=sorted(LAYOUTS))
    parser.add_argument("--input", required=True, help=".pth, .npz, .safetensors or .h5 file")
    named = parser.add_mutually_exclusive_group()
    named.add_argument("--data", help="dataset directory, for the classes' names and image size")
    named.add_argument(
        "--classes",
        metavar="FILE",
        help="text file of the classes' names, a line each: NAME, or IDENTIFIER<tab>NAME. Without"
        " --data and --classes they are numbered",
    )
    parser.add_argument(
        "--image-size",
        type=int,
        default=256,
        help="without --data: side of the squares that are cut from images; default 256",
    )
    parser.add_argument("--run", required=True, help="run directory to create")
    parser.add_argument(
        "--config", help="YAML file; default: the variant that the format is of (caffe: caffenet)"
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="section.key=value",
        help="such as network.variant=bvlc, or data.mean_rgb=[124,117,104] for another mean",
    )
    return parser


def _described(arguments: argparse.Namespace, config: Config, directory: Path) -> Path:
    """A description in place of a dataset, in `directory`."""
    network, size = config.network, arguments.image_size
    if not network.input_size <= size <= 4096:
        raise ConfigError(
            f"--image-size: expected {network.input_size}, the network's input, to 4096, received"
            f" {size}"
        )
    count = network.num_classes
    names = numbered(count)
    if arguments.classes:
        names = read_classes(Path(arguments.classes), count)
    write_description(directory, names, size, config.data.mean_rgb or (0.0, 0.0, 0.0))
    return directory


def _config(layout: Layout, arguments: argparse.Namespace) -> Config:
    """The configuration whose input is what the weights were trained on."""
    ours = {"data": {"mean": "channel", "mean_rgb": list(layout.mean_rgb)}}
    if arguments.config:
        given = config_files.read_tree(arguments.config)
    else:
        given = {"network": {"variant": layout.variants[0]}}
    tree = config_files.merge(given, ours)
    tree = config_files.merge(tree, config_files.overrides_tree(arguments.overrides))
    config = config_files.parse(tree, arguments.config or "--format")
    if config.network.variant not in layout.variants:
        raise ConfigError(
            f"network.variant: expected {' or '.join(layout.variants)} for --format"
            f" {arguments.format}, received {config.network.variant}"
        )
    return config


def _save(run: Run, weights: dict) -> None:
    """A checkpoint of step 0, as training would write it."""
    strategy = strategies.create(StrategyConfig()).strategy  # the run's own may need a cluster
    with strategy.scope():
        model = network.build(run.config.network)
        named = weights_of(model)
        half = run.config.training.precision == "mixed_float16"
        scale = LossScale() if half else None
    for weight in named:
        weight.variable.assign(weights[weight.name])
    with strategy.scope():  # some optimizers begin with the weights' values
        optimizer = Optimizer(run.config.optimizer, named)
    groups = training_groups(optimizer, scale)
    Checkpoints(run.checkpoints).save(0, groups, Progress().to_json())


if __name__ == "__main__":
    cli.run(main)
