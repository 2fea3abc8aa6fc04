"""python -m alexnet_tf.predict: the most probable classes of image files, by a SavedModel."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from alexnet_tf import cli, startup_imports, startup_lines
from alexnet_tf.errors import ConfigError, JobError
from alexnet_tf.serving.image_files import STDIN, SUFFIXES, Unreadable

if not cli.HELP:  # which needs none of these, and TensorFlow takes seconds to load
    startup_imports.leave_out("keras")  # a SavedModel needs TensorFlow alone
    import tensorflow as tf

    from alexnet_tf.serving import image_files
    from alexnet_tf.serving.load import load_saved_model

    startup_lines.keep()


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.top < 1:
        raise ConfigError(f"--top: expected at least 1, received {arguments.top}")
    files = list(files_in(arguments.images))
    # To rewrite the graph takes as long as hundreds of predictions, which are no faster for it.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    classify = load(arguments.model, arguments.top)
    show = json_line if arguments.json else table
    failed = 0
    for path in files:
        try:
            line = show(path, classify(image_files.read(path)))
        except (Unreadable, tf.errors.OpError, UnicodeDecodeError) as error:
            failed += 1
            why = cli.printable(reason(error))
            print(f"{cli.printable(path)}: not a readable image: {why}", file=sys.stderr)
        else:
            print(line, flush=True)
    if failed:
        raise JobError(f"{failed} of {len(files)} images could not be read")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(prog="python -m alexnet_tf.predict", description=__doc__)
    parser.add_argument("--model", required=True, help="SavedModel made by alexnet_tf.export")
    parser.add_argument("--top", type=int, default=5, metavar="K", help="classes shown; default 5")
    parser.add_argument("--json", action="store_true", help="a JSON object a line for each image")
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="JPEG, PNG, GIF, BMP, WebP, TIFF, PPM or AVIF file, a folder of them, or - for the"
        " bytes from stdin",
    )
    return parser


def files_in(given: Sequence[str]) -> Iterator[str]:
    """The files themselves, and the image files in and below folders, sorted.

    Raises ConfigError for a folder without any, and for a second "-".
    """
    if given.count(STDIN) > 1:
        raise ConfigError(f"expected {STDIN} at most once, received it {given.count(STDIN)} times")
    for name in given:
        if name == STDIN or not os.path.isdir(name):  # a `Path` may raise, of a name too long
            yield name
            continue
        images = sorted(p for p in Path(name).rglob("*") if p.suffix.lower() in SUFFIXES)
        if not images:
            kinds = ", ".join(SUFFIXES)
            raise ConfigError(f"expected files named {kinds} in the folder {name}, found none")
        yield from map(str, images)


def load(directory: str, top: int) -> Callable[[bytes], list[dict]]:
    """A function from an image's bytes to its `top` most probable classes (or all, if fewer).

    Each is {"class": int, "synset": str, "name": str, "probability": float}, the best first.
    Raises ConfigError if the directory holds no undamaged SavedModel of alexnet_tf.export.
    """
    model = load_saved_model(directory)
    missing = {"classify", "rank"} - set(model.signatures)
    if missing:
        raise ConfigError(
            f"--model: expected the signatures classify and rank, received"
            f" {', '.join(sorted(model.signatures))} in {directory}; export the run again"
        )
    shown = model.signatures["classify"].structured_outputs["classes"].shape[1]
    signature = model.signatures["classify" if top <= shown else "rank"]

    # The signature holds its model only weakly: `model` keeps it.
    def classify(data: bytes, model: tf.Module = model) -> list[dict]:
        answer = signature(encoded=tf.constant([data]))
        keys = ("classes", "synsets", "names", "probabilities")
        rows = zip(*(answer[key].numpy()[0, :top].tolist() for key in keys), strict=True)
        return [
            {"class": number, "synset": s.decode(), "name": n.decode(), "probability": p}
            for number, s, n, p in rows
        ]

    return classify


def reason(error: Unreadable | tf.errors.OpError | UnicodeDecodeError) -> str:
    """One line of an error; TensorFlow's own end with what went wrong, after where it did."""
    if isinstance(error, UnicodeDecodeError):  # TensorFlow's message is of the file's own bytes
        return "its bytes are damaged"
    if not isinstance(error, tf.errors.OpError):
        return str(error)
    lines = [line for line in error.message.splitlines() if line.strip() and "[[{{" not in line]
    last = lines[-1].strip() if lines else "unknown"
    return last.partition("}} ")[2] or last if last.startswith("{{") else last


def table(path: str, best: list[dict]) -> str:
    """The file's name, and below it a line for each class: probability, identifier, name.

    Where all identifiers are the names, as of folders, they are said once.
    """
    if all(row["synset"] == row["name"] for row in best):
        rows = [f"{row['probability']:7.2%}  {row['name']}" for row in best]
    else:
        width = max(len(row["synset"]) for row in best)
        rows = [
            f"{row['probability']:7.2%}  {row['synset']:{width}}  {row['name']}" for row in best
        ]
    return "\n".join([cli.printable(path), *(f"  {cli.printable(row)}" for row in rows)])


def json_line(path: str, best: list[dict]) -> str:
    """A JSON object; with escapes where the terminal shows no UTF-8."""
    utf8 = "utf" in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    return json.dumps({"file": path, "classes": best}, ensure_ascii=not utf8)


if __name__ == "__main__":
    cli.run(main)
