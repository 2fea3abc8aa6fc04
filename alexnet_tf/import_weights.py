"""python -m alexnet_tf.import_weights: a run directory from torchvision's or Caffe's weights.

The result can be evaluated, exported and trained on. The dataset directory brings the classes'
names, which must be as many as the file's and in the same order (ImageNet's sorted WNIDs are).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from alexnet_tf import cli
from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import Config
from alexnet_tf.errors import ConfigError, RunError
from alexnet_tf.foreign_weights.files import open_arrays
from alexnet_tf.foreign_weights.formats import LAYOUTS, Layout, imported
from alexnet_tf.network import model as network
from alexnet_tf.network.weights import weights_of
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.checkpoint_groups import training_groups
from alexnet_tf.runs.checkpoints import Checkpoints
from alexnet_tf.runs.directory import Run
from alexnet_tf.runs.lock import locked
from alexnet_tf.training import strategy as strategies
from alexnet_tf.training.loop import Progress
from alexnet_tf.training.loss_scale import LossScale
from alexnet_tf.training.optimizers.optimizer import Optimizer
from preprocessing.dataset.info import read_info


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    layout = LAYOUTS[arguments.format]
    config = _config(layout, arguments)
    info = read_info(arguments.data)
    config = config.with_classes(len(info.classes))
    with open_arrays(Path(arguments.input)) as stored:
        weights = imported(layout, config.network, stored, arguments.input)
    with locked(arguments.run):
        run = run_directory.begin(arguments.run, config, arguments.data)
        if Checkpoints(run.checkpoints).steps():
            raise RunError(f"expected a new run directory, received {run.path} with checkpoints")
        _save(run, weights)
    print(
        f"imported {len(weights)} arrays, {sum(w.size for w in weights.values()):,} numbers, into"
        f" {arguments.run} ({config.network.variant}); it can be evaluated, exported and trained on"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m alexnet_tf.import_weights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--format", required=True, choices=sorted(LAYOUTS))
    parser.add_argument("--input", required=True, help=".npz, .h5 or .safetensors file")
    parser.add_argument("--data", required=True, help="dataset directory, for the classes' names")
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
    strategy = strategies.create(run.config.strategy, strategies.ALONE).strategy
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
