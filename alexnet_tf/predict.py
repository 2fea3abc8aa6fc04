"""python -m alexnet_tf.predict: the most probable classes of picture files, by a SavedModel."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from alexnet_tf import cli
from alexnet_tf.config import ConfigError

MAX_BYTES = 256 << 20


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m alexnet_tf.predict", description=__doc__)
    parser.add_argument("--model", required=True, help="SavedModel made by alexnet_tf.export")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="JPEG, PNG, GIF or BMP file")
    arguments = parser.parse_args(argv)
    classify = load(arguments.model)
    failed = 0
    for path in arguments.images:
        try:
            print(table(path, classify(encoded=tf.constant([read(path)]))), flush=True)
        except (OSError, tf.errors.InvalidArgumentError) as error:
            failed += 1
            reason = getattr(error, "message", str(error)).splitlines()[0]
            print(f"{path}: not a readable picture: {reason}", file=sys.stderr)
    if failed:
        raise cli.JobFailed(f"{failed} of {len(arguments.images)} pictures could not be read")
    return 0


def load(directory: str):
    """The `classify` signature. Raises ConfigError if the directory holds no such SavedModel."""
    if not tf.saved_model.contains_saved_model(directory):
        raise ConfigError(f"--model: expected a SavedModel directory, received {directory}")
    model = tf.saved_model.load(directory)
    if "classify" not in model.signatures:
        raise ConfigError(
            f"--model: expected a signature 'classify', received {sorted(model.signatures)}"
        )
    classify = model.signatures["classify"]
    classify.owner = model  # the signature holds its variables weakly
    return classify


def read(path: str) -> bytes:
    """A file's bytes. Raises OSError, also for a file too large to be a picture."""
    size = Path(path).stat().st_size
    if size > MAX_BYTES:
        raise OSError(f"expected at most {MAX_BYTES} bytes, received {size}")
    return Path(path).read_bytes()


def table(path: str, answer: dict[str, tf.Tensor]) -> str:
    """The file's name, and below it a line for each class: probability, identifier, name."""
    columns = (answer[key].numpy()[0] for key in ("probabilities", "synsets", "names"))
    rows = (
        f"  {probability:7.2%}  {synset.decode()}  {name.decode()}"
        for probability, synset, name in zip(*columns, strict=True)
    )
    return "\n".join([path, *rows])


if __name__ == "__main__":
    cli.run(main)
