"""python -m alexnet_tf.export: a run as a SavedModel that TensorFlow alone can load and serve."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import tensorflow as tf

from alexnet_tf import cli
from alexnet_tf.data import reader
from alexnet_tf.data.split import Share, Split
from alexnet_tf.errors import ConfigError, JobError
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.directory import Run
from alexnet_tf.serving import parity, tflite
from alexnet_tf.serving.signatures import WEIGHTS, Served
from preprocessing.dataset.info import read_info

TFLITE_FILE = "model.tflite"
NOTES_FILE = "export.json"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.tflite and arguments.weights == "bfloat16":
        raise ConfigError("--tflite: expected --weights float32 or float16, received bfloat16")
    run = run_directory.load(arguments.run)
    batches = _batches(run, arguments.check) if arguments.check else None
    with replacing(Path(arguments.output), arguments.overwrite) as directory:
        served = Served(run, arguments.views, arguments.weights)
        tf.saved_model.save(served, str(directory), signatures=served.signatures())
        if arguments.tflite:
            content = _tflite(served, half=arguments.weights == "float16")
            (directory / TFLITE_FILE).write_bytes(content)
        measured = _check(run, directory, arguments.views, batches) if batches else None
        notes = _notes(run, arguments.views, arguments.weights, measured)
        (directory / NOTES_FILE).write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")
    if measured:
        print(measured)
    print(f"exported {arguments.run} to {arguments.output}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m alexnet_tf.export", description=__doc__)
    parser.add_argument("--run", required=True, help="run directory")
    parser.add_argument("--output", required=True, help="directory of the SavedModel")
    parser.add_argument(
        "--views", type=int, choices=(1, 10), default=1, help="averaged for each image; default 1"
    )
    parser.add_argument(
        "--weights",
        choices=WEIGHTS,
        default="float32",
        help="how weights are stored; half precision halves the files. Default: float32",
    )
    parser.add_argument("--tflite", action="store_true", help=f"also write OUTPUT/{TFLITE_FILE}")
    parser.add_argument(
        "--check",
        metavar="DATA",
        help="dataset: compare the export with the trained network over its validation split",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    return parser


@contextlib.contextmanager
def replacing(output: Path, overwrite: bool) -> Iterator[Path]:
    """A new directory to write into, which takes `output`'s name once the block has succeeded.

    Raises ConfigError if `output` exists and may not be replaced.
    """
    if output.exists() and not overwrite:
        raise ConfigError(f"--output: expected a new directory, received {output}; or --overwrite")
    if output.exists() and not (output / "saved_model.pb").is_file():
        raise ConfigError(f"--overwrite: expected a SavedModel to replace, received {output}")
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.writing-{os.getpid()}")
    try:
        yield temporary
        if output.exists():
            old = output.with_name(f".{output.name}.old-{os.getpid()}")
            output.replace(old)
            temporary.replace(output)
            shutil.rmtree(old)
        else:
            temporary.replace(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _tflite(served: Served, half: bool) -> bytes:
    try:
        return tflite.convert(served, half)
    except tflite.TFLiteMismatch as error:
        raise JobError(str(error)) from error


def _batches(run: Run, data: str) -> tf.data.Dataset:
    info = read_info(data)
    if info.classes != run.info.classes or info.image_size != run.info.image_size:
        raise ConfigError(f"--check: expected the classes and sizes of {run.path}'s dataset")
    split = Split(data, info, "validation")
    return reader.evaluation_batches(split, info.image_size, Share(32))


def _check(run: Run, directory: Path, views: int, batches: tf.data.Dataset) -> parity.Parity:
    """The export as it is on disk against the network as it was trained."""
    trained = tf.function(Served(run, views), reduce_retracing=True)
    model = tf.saved_model.load(str(directory))
    serve = model.signatures["serving_default"]
    return parity.measure(trained, lambda x: serve(pictures=x)["probabilities"], batches)


def _notes(run: Run, views: int, weights: str, measured: parity.Parity | None) -> dict:
    return {
        "variant": run.config.network.variant,
        "classes": len(run.info.classes),
        "image_size": run.info.image_size,
        "input_size": run.config.network.input_size,
        "views": views,
        "weights": weights,
        "dataset": run.info.fingerprint,
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
        "parity": asdict(measured) if measured else None,
    }


if __name__ == "__main__":
    cli.run(main)
