"""python -m alexnet_tf.export: a run as a SavedModel that TensorFlow alone can load and serve, and
beside it as files for TFLite and ONNX."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from alexnet_tf import cli
from alexnet_tf.cli import writing
from alexnet_tf.config.choices import CHECKPOINT_HELP, CHECKPOINTS, VIEW_COUNTS, WEIGHTS
from alexnet_tf.errors import ConfigError
from alexnet_tf.serving import model_card

if not cli.HELP:  # which needs none of these, and TensorFlow takes seconds to load
    from alexnet_tf.data.split import Split
    from alexnet_tf.data.verification import check_names
    from alexnet_tf.evaluation.labelled_split import open_split
    from alexnet_tf.runs import directory as run_directory
    from alexnet_tf.runs.directory import Run
    from alexnet_tf.serving import exported, onnx_file


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.tflite and arguments.weights == "bfloat16":
        raise ConfigError("--tflite: expected --weights float32 or float16, received bfloat16")
    if arguments.onnx:
        onnx_file.expect_packages()
    run = run_directory.load(arguments.run)
    if arguments.onnx:
        onnx_file.expect_size(run.config.network, arguments.weights)
    split = _split(run, arguments.check) if arguments.check else None
    output = Path(arguments.output)
    _check_output(output, arguments.overwrite)
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        notes = exported.write(run, output, _wanted(arguments), split)
    for line in exported.measured(notes):
        print(line)
    print(f"exported {arguments.run} to {arguments.output}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(prog="python -m alexnet_tf.export", description=__doc__)
    parser.add_argument("--run", required=True, help="run directory")
    parser.add_argument("--output", required=True, help="directory of the SavedModel")
    parser.add_argument("--checkpoint", choices=CHECKPOINTS, default="newest", help=CHECKPOINT_HELP)
    parser.add_argument(
        "--views",
        type=int,
        choices=VIEW_COUNTS,
        default=1,
        help="averaged for each image; default 1",
    )
    parser.add_argument(
        "--weights",
        choices=WEIGHTS,
        default="float32",
        help="how weights are stored; half precision halves the files. Default: float32",
    )
    parser.add_argument("--tflite", action="store_true", help="also write OUTPUT/model.tflite")
    parser.add_argument(
        "--onnx", action="store_true", help="also write OUTPUT/model.onnx (pip install '.[onnx]')"
    )
    parser.add_argument(
        "--check",
        metavar="DATA",
        help="dataset: compare the export, and model.onnx, with the trained network over its"
        " validation split",
    )
    parser.add_argument("--license", default="", help=f"of the model, for its {model_card.FILE}")
    parser.add_argument("--intended-use", default="", help="the same")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    return parser


def _wanted(arguments: argparse.Namespace) -> exported.Wanted:
    return exported.Wanted(
        views=arguments.views,
        weights=arguments.weights,
        checkpoint=arguments.checkpoint,
        tflite=arguments.tflite,
        onnx=arguments.onnx,
        license=arguments.license,
        intended_use=arguments.intended_use,
    )


def _check_output(output: Path, overwrite: bool) -> None:
    """Raises ConfigError if `output` exists and may not be replaced."""
    # By os.path: a `Path` raises of a name too long, which `writing` is to tell.
    if os.path.exists(output) and not overwrite:
        raise ConfigError(f"--output: expected a new directory, received {output}; or --overwrite")
    if os.path.exists(output) and not os.path.isfile(output / "saved_model.pb"):
        raise ConfigError(f"--overwrite: expected a SavedModel to replace, received {output}")


def _split(run: Run, data: str) -> Split:
    """What `--check` compares on; looked at before anything is written."""
    split = open_split([run], data, "validation")
    if split.info.image_size != run.info.image_size:
        raise ConfigError(f"--check: expected the image size of {run.path}'s dataset")
    check_names(split)
    return split


if __name__ == "__main__":
    cli.run(main)
