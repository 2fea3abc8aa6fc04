"""The directory that `export` writes: the SavedModel, and what lies beside it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from alexnet_tf.compat import versions
from alexnet_tf.data.split import Split
from alexnet_tf.errors import JobError
from alexnet_tf.evaluation.comparison import reports_of_weights
from alexnet_tf.runs.directory import Run
from alexnet_tf.runs.reason import reason_of
from alexnet_tf.runs.stored_weights import weights_sha256
from alexnet_tf.serving import model_card, onnx_file, parity, tflite, warmup
from alexnet_tf.serving.load import NOTES_FILE
from alexnet_tf.serving.signatures import Served
from alexnet_tf.serving.tflite_labels import LABELS_FILE
from preprocessing.dataset.atomic import replacing_directory


@dataclass(frozen=True)
class Wanted:
    """What is to be exported of a run. `views`, `weights` and `checkpoint` are those of `Served`.

    license, intended_use: what the model's card says of them; "" for nothing.
    """

    views: int = 1
    weights: str = "float32"
    checkpoint: str = "newest"
    tflite: bool = False
    onnx: bool = False
    license: str = ""
    intended_use: str = ""


def write(run: Run, output: str | os.PathLike[str], wanted: Wanted, split: Split | None) -> dict:
    """Writes the whole directory, or nothing; returns what its export.json says.

    split: images on which the export, and model.onnx, are compared with the trained network.

    Raises JobError where it cannot be written.
    """
    texts = (wanted.license, wanted.intended_use)
    with replacing_directory(output) as new:
        directory = Path(new)
        served = Served(run, wanted.views, wanted.weights, wanted.checkpoint)
        signatures = served.signatures()
        with _tensorflow_writing(output):
            tf.saved_model.save(served, new, signatures=signatures)
        notes = _notes(run, wanted)
        if wanted.tflite or wanted.onnx:
            single = _in_float32(served, run, wanted)
        if wanted.tflite:
            notes["tflite"] = _tflite(single, directory, wanted, _labels(run))
        if wanted.onnx:
            said = onnx_file.properties(run.info, notes, *texts)
            notes["onnx"] = onnx_file.write(single, served is single, directory, said)
        if split is not None:
            _check(run, directory, wanted, split, notes)
        (directory / LABELS_FILE).write_text(_labels(run), encoding="utf-8")
        warm = directory / warmup.PATH
        warm.parent.mkdir()
        warm.write_bytes(warmup.requests(run.info.image_size))
        reports = reports_of_weights(run.path, weights_sha256(served.trained_weights()))
        page = model_card.card(run.info, notes, list(reports.values()), *texts)
        (directory / model_card.FILE).write_text(page, encoding="utf-8")
        (directory / NOTES_FILE).write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")
    return notes


def _in_float32(served: Served, run: Run, wanted: Wanted) -> Served:
    """The same, computing in float32, as other formats do; they have no mixed precision."""
    if run.config.training.precision == "float32":
        return served
    return Served(run, wanted.views, wanted.weights, wanted.checkpoint, "float32")


def _tflite(served: Served, directory: Path, wanted: Wanted, labels: str) -> dict[str, Any]:
    """Writes the file; what export.json says of it."""
    half = wanted.weights == "float16"
    content = tflite.convert(served, half, labels)
    (directory / tflite.FILE).write_bytes(content)
    return {"file": tflite.FILE, "largest_difference": tflite.check(content, served, half)}


def measured(notes: dict) -> Iterator[str]:
    """A line for each comparison that export.json tells of."""
    if notes["parity"]:
        yield str(parity.Parity(**notes["parity"]))
    if notes["onnx"]:
        yield onnx_file.line(notes["onnx"])
        if "parity" in notes["onnx"]:
            yield f"{onnx_file.FILE}: {parity.Parity(**notes['onnx']['parity'])}"


@contextlib.contextmanager
def _tensorflow_writing(output: str | os.PathLike[str]) -> Iterator[None]:
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


def _check(run: Run, directory: Path, wanted: Wanted, split: Split, notes: dict) -> None:
    """Notes how far the export as it is on disk is from the network as it was trained."""
    network = Served(run, wanted.views, checkpoint=wanted.checkpoint)
    trained = tf.function(network, reduce_retracing=True)
    model = tf.saved_model.load(str(directory))
    serve = model.signatures["serving_default"]
    compared = parity.measure(trained, lambda x: serve(pictures=x)["probabilities"], split)
    notes["parity"] = asdict(compared)
    if notes["onnx"]:
        answer = onnx_file.probabilities(directory)
        notes["onnx"]["parity"] = asdict(parity.measure(trained, answer, split))


def _labels(run: Run) -> str:
    """A line for each class, in the order of the probabilities: what TFLite's tools read."""
    return "".join(f"{' '.join(name.text.split())}\n" for name in run.info.classes)


def _notes(run: Run, wanted: Wanted) -> dict:
    return {
        "variant": run.config.network.variant,
        "classes": [asdict(name) for name in run.info.classes],
        "training_images": run.training_images,
        "apply_exif": bool(run.info.options.get("apply_exif", False)),
        "image_size": run.info.image_size,
        "input_size": run.config.network.input_size,
        "views": wanted.views,
        "weights": wanted.weights,
        "checkpoint": wanted.checkpoint,
        "dataset": run.info.fingerprint,
        "versions": versions(),
        "parity": None,
        "tflite": None,
        "onnx": None,
    }
