"""python -m alexnet_tf.train: trains a network, or goes on with a training that was stopped."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from alexnet_tf import cli
from alexnet_tf.config import files as config_files

if not cli.HELP:  # which needs none of these, and TensorFlow takes seconds to load
    from alexnet_tf.runs.session import train


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    config = config_files.load(arguments.config, arguments.overrides)
    return train(config, arguments.data, arguments.run).exit_code


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(prog="python -m alexnet_tf.train", description=__doc__)
    parser.add_argument(
        "--config",
        required=True,
        help="YAML file, or a built-in one such as paper (alexnet_tf.describe --list)",
    )
    parser.add_argument("--data", required=True, help="dataset directory made by preprocessing")
    parser.add_argument("--run", required=True, help="run directory: created, or gone on with")
    parser.add_argument(
        "overrides", nargs="*", metavar="section.key=value", help="settings that replace the file's"
    )
    return parser


if __name__ == "__main__":
    cli.run(main)
