"""python -m alexnet_tf.evaluate: top-1 and top-5 error of one run, or of several averaged."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from alexnet_tf import cli
from alexnet_tf.data import reader
from alexnet_tf.data.split import Split
from alexnet_tf.errors import ConfigError, RunError
from alexnet_tf.evaluation import report
from alexnet_tf.evaluation.ensemble import average, best_weights
from alexnet_tf.evaluation.predictions import Answers, answers
from alexnet_tf.evaluation.tally import Tally
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.directory import Run
from alexnet_tf.runs.restore import restored_model
from preprocessing.dataset.info import DatasetInfo, read_info


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    runs = [run_directory.load(path) for path in arguments.run]
    info = read_info(arguments.data)
    _check(runs, info, arguments)
    split = Split(arguments.data, info, arguments.split)
    size, views = arguments.batch_size, arguments.views
    stream = answers([restored_model(run) for run in runs], split, views, size, progress=True)
    stream = _labelled(stream, arguments.split)
    if arguments.search_weights:
        weights, part, tally = _searched(stream, len(info.classes))
    else:
        weights, part = arguments.weights or [1.0] * len(runs), "all"
        tally = Tally(len(info.classes))
        for batch in stream:
            tally.add(batch.labels, average(batch.probabilities, weights))
    names = [str(run.path) for run in runs]
    subject = report.Subject(names, weights, arguments.split, views, info, part)
    _write(report.as_json(subject, tally), runs[0].path / "evaluation", len(runs))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m alexnet_tf.evaluate", description=__doc__)
    parser.add_argument(
        "--run", required=True, action="append", help="run directory; give several for an ensemble"
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--weights", nargs="+", type=float, help="of the runs in an ensemble")
    chosen.add_argument(
        "--search-weights",
        action="store_true",
        help="find the weights on every second image, and report on the others only",
    )
    parser.add_argument("--data", required=True, help="dataset directory")
    parser.add_argument("--split", default="validation", help="default: validation")
    parser.add_argument("--views", type=int, choices=(1, 10), default=1, help="default: 1, center")
    parser.add_argument("--batch-size", type=int, default=64, help="default: 64")
    return parser


def _check(runs: list[Run], info: DatasetInfo, arguments: argparse.Namespace) -> None:
    weights = arguments.weights
    if weights is not None and (
        len(weights) != len(runs)
        or not all(math.isfinite(w) and w >= 0 for w in weights)
        or not sum(weights) > 0
    ):
        raise ConfigError(
            f"--weights: expected {len(runs)} numbers of at least 0, one for each --run, received"
            f" {weights}"
        )
    if arguments.search_weights and len(runs) < 2:
        raise ConfigError(f"--search-weights: expected several --run, received {len(runs)}")
    if arguments.batch_size < 1:
        raise ConfigError(f"--batch-size: expected at least 1, received {arguments.batch_size}")
    for run in runs:
        if run.info.classes != info.classes:
            raise RunError(
                f"expected the classes that {run.path} was trained on, received other ones in"
                f" {arguments.data}"
            )
        reader.check_sizes(info, run.config.network.input_size)


def _labelled(stream: Iterable[Answers], split: str) -> Iterator[Answers]:
    for batch in stream:
        if (batch.labels < 0).any():
            raise ConfigError(
                f"--split: expected labelled images, {split!r} has unlabelled ones; their classes"
                " are told by python -m alexnet_tf.predict"
            )
        yield batch


def _searched(stream: Iterable[Answers], classes: int) -> tuple[list[float], str, Tally]:
    """Weights from the images at even positions, and a tally of those at odd ones.

    Holds the odd half's probabilities: 100 MB a network for ImageNet's validation split.
    """
    own, rest, position = [], [], 0
    for batch in stream:
        even = (position + np.arange(len(batch.labels))) % 2 == 0
        position += len(batch.labels)
        labels = batch.labels[even]
        own.append(batch.probabilities[:, even][:, np.arange(len(labels)), labels])
        rest.append((batch.labels[~even], batch.probabilities[:, ~even]))
    weights = best_weights(np.concatenate(own, axis=1))
    tally = Tally(classes)
    for labels, probabilities in rest:
        tally.add(labels, average(probabilities, weights))
    shown = ", ".join(f"{weight:.3f}" for weight in weights)
    print(f"weights found on the images at even positions: {shown}; errors on the others:")
    return weights.tolist(), "odd positions", tally


def _write(content: dict, directory: Path, runs: int) -> None:
    """Prints the line, and writes the report as JSON and Markdown, each under a temporary name."""
    print(report.line(content))
    kind = "ensemble" if runs > 1 else content["split"]
    path = directory / f"{kind}-{content['views']}-views.json"
    directory.mkdir(exist_ok=True)
    texts = {
        path: json.dumps(content, indent=1),
        path.with_suffix(".md"): report.as_markdown(content),
    }
    for name, text in texts.items():
        temporary = Path(f"{name}.writing")
        temporary.write_text(text.rstrip() + "\n", encoding="utf-8")
        temporary.replace(name)
    print(f"report: {path}")


if __name__ == "__main__":
    cli.run(main)
