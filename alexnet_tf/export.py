"""python -m alexnet_tf.export: a run as a SavedModel that TensorFlow alone can load and serve, and
beside it as files for TFLite and ONNX."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alexnet_tf import cli
from alexnet_tf.cli import writing
from alexnet_tf.config.choices import CHECKPOINT_HELP, CHECKPOINTS, VIEW_COUNTS, WEIGHTS
from alexnet_tf.errors import ConfigError, JobError
from alexnet_tf.evaluation.comparison import reports_of
from alexnet_tf.serving import model_card
from preprocessing.dataset.atomic import replacing_directory

if not cli.HELP:  # which needs none of these, and TensorFlow takes seconds to load
    import tensorflow as tf

    from alexnet_tf.compat import versions
    from alexnet_tf.data.split import Split
    from alexnet_tf.data.verification import check_names
    from alexnet_tf.evaluation.labelled_split import open_split
    from alexnet_tf.runs import directory as run_directory
    from alexnet_tf.runs.directory import Run
    from alexnet_tf.runs.reason import reason_of
    from alexnet_tf.serving import onnx_file, parity, tflite, warmup
    from alexnet_tf.serving.load import NOTES_FILE
    from alexnet_tf.serving.signatures import Served
    from alexnet_tf.serving.tflite_labels import LABELS_FILE


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
        notes = _export(run, output, arguments, split)
    for line in _measured(notes):
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


def _export(run: Run, output: Path, arguments: argparse.Namespace, split: Split | None) -> dict:
    """Writes the whole directory; what its export.json says."""
    texts = (arguments.license, arguments.intended_use)
    with replacing_directory(output) as new:
        directory = Path(new)
        served = Served(run, arguments.views, arguments.weights, arguments.checkpoint)
        signatures = served.signatures()
        with _tensorflow_writing(output):
            tf.saved_model.save(served, new, signatures=signatures)
        notes = _notes(run, arguments)
        if arguments.tflite or arguments.onnx:
            single = _in_float32(served, run, arguments)
        if arguments.tflite:
            notes["tflite"] = _tflite(single, directory, arguments, _labels(run))
        if arguments.onnx:
            said = onnx_file.properties(run.info, notes, *texts)
            notes["onnx"] = onnx_file.write(single, served is single, directory, said)
        if split is not None:
            _check(run, directory, arguments, split, notes)
        (directory / LABELS_FILE).write_text(_labels(run), encoding="utf-8")
        warm = directory / warmup.PATH
        warm.parent.mkdir()
        warm.write_bytes(warmup.requests(run.info.image_size))
        page = model_card.card(run.info, notes, reports_of(run.path), *texts)
        (directory / model_card.FILE).write_text(page, encoding="utf-8")
        (directory / NOTES_FILE).write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")
    return notes


def _in_float32(served: Served, run: Run, arguments: argparse.Namespace) -> Served:
    """The same, computing in float32, as other formats do; they have no mixed precision."""
    if run.config.training.precision == "float32":
        return served
    return Served(run, arguments.views, arguments.weights, arguments.checkpoint, "float32")


def _tflite(
    served: Served, directory: Path, arguments: argparse.Namespace, labels: str
) -> dict[str, Any]:
    """Writes the file; what export.json says of it."""
    half = arguments.weights == "float16"
    content = tflite.convert(served, half, labels)
    (directory / tflite.FILE).write_bytes(content)
    return {"file": tflite.FILE, "largest_difference": tflite.check(content, served, half)}


def _measured(notes: dict) -> Iterator[str]:
    """A line for each comparison."""
    if notes["parity"]:
        yield str(parity.Parity(**notes["parity"]))
    if notes["onnx"]:
        yield onnx_file.line(notes["onnx"])
        if "parity" in notes["onnx"]:
            yield f"{onnx_file.FILE}: {parity.Parity(**notes['onnx']['parity'])}"


@contextlib.contextmanager
def _tensorflow_writing(output: Path) -> Iterator[None]:
    """TensorFlow's own errors of a disk that is full, read-only or gone, as JobError."""
    try:
        yield
    except (
        tf.errors.FailedPreconditionError,
        tf.errors.NotFoundError,
        tf.errors.PermissionDeniedError,
        tf.errors.ResourceExhaustedError,
        tf.errors.UnknownError,
    ) as error:
        raise JobError(f"cannot write {output}: {reason_of(error)}") from error


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


def _check(
    run: Run,
    directory: Path,
    arguments: argparse.Namespace,
    split: Split,
    notes: dict,
) -> None:
    """Notes how far the export as it is on disk is from the network as it was trained."""
    network = Served(run, arguments.views, checkpoint=arguments.checkpoint)
    trained = tf.function(network, reduce_retracing=True)
    model = tf.saved_model.load(str(directory))
    serve = model.signatures["serving_default"]
    measured = parity.measure(trained, lambda x: serve(pictures=x)["probabilities"], split)
    notes["parity"] = asdict(measured)
    if notes["onnx"]:
        answer = onnx_file.probabilities(directory)
        notes["onnx"]["parity"] = asdict(parity.measure(trained, answer, split))


def _labels(run: Run) -> str:
    """A line for each class, in the order of the probabilities: what TFLite's tools read."""
    return "".join(f"{' '.join(name.text.split())}\n" for name in run.info.classes)


def _notes(run: Run, arguments: argparse.Namespace) -> dict:
    return {
        "variant": run.config.network.variant,
        "classes": [asdict(name) for name in run.info.classes],
        "training_images": run.training_images,
        "apply_exif": bool(run.info.options.get("apply_exif", False)),
        "image_size": run.info.image_size,
        "input_size": run.config.network.input_size,
        "views": arguments.views,
        "weights": arguments.weights,
        "checkpoint": arguments.checkpoint,
        "dataset": run.info.fingerprint,
        "versions": versions(),
        "parity": None,
        "tflite": None,
        "onnx": None,
    }


if __name__ == "__main__":
    cli.run(main)
