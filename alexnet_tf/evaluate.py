"""python -m alexnet_tf.evaluate: top-1 and top-5 error of one run, or of several averaged."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Sequence

import numpy as np

from alexnet_tf import cli
from alexnet_tf.config.choices import CHECKPOINT_HELP, CHECKPOINTS, VIEW_COUNTS
from alexnet_tf.errors import ConfigError
from alexnet_tf.evaluation.comparison import comparison
from alexnet_tf.evaluation.ensemble import average, best_weights
from alexnet_tf.evaluation.report_name import report_name
from preprocessing.dataset.atomic import write_text

if not cli.HELP:  # which needs none of these, and TensorFlow takes seconds to load
    from alexnet_tf.evaluation import report
    from alexnet_tf.evaluation.error_counts import ErrorCounts
    from alexnet_tf.evaluation.labelled_split import labelled, open_split
    from alexnet_tf.evaluation.predictions import Predictions, predictions
    from alexnet_tf.evaluation.present_weights import PresentWeights
    from alexnet_tf.network.weights import arrays_of
    from alexnet_tf.runs import directory as run_directory
    from alexnet_tf.runs.restore import restored_model
    from alexnet_tf.runs.stored_weights import weights_sha256


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.compare:
        if arguments.run or arguments.data:
            raise ConfigError("--compare: expected no --run or --data beside it; it reads reports")
        print(comparison(arguments.compare, PresentWeights().mark))
        return 0
    _check(arguments)
    runs = [run_directory.load(path) for path in arguments.run]
    split = open_split(runs, arguments.data, arguments.split)
    networks = [restored_model(run, arguments.checkpoint) for run in runs]
    names = [str(run.path) for run in runs]
    digests = [weights_sha256(arrays_of(model)) for model, _ in networks]
    for views in dict.fromkeys(arguments.views):
        stream = labelled(predictions(networks, split, views, arguments.batch_size), split.name)
        weights, part, counts = _counted(stream, len(split.info.classes), arguments)
        where = (names, weights, split.name, views, split.info, part)
        subject = report.Subject(*where, arguments.checkpoint, digests)
        _write(subject, counts, runs[0])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(prog="python -m alexnet_tf.evaluate", description=__doc__)
    parser.add_argument(
        "--run",
        action="append",
        help="run directory, where reports are written (RUN/evaluation); give several for an"
        " ensemble, whose reports lie with the first",
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--weights", nargs="+", type=float, help="of the runs in an ensemble")
    chosen.add_argument(
        "--search-weights",
        action="store_true",
        help="find the weights on every second image, and report on the others only",
    )
    parser.add_argument("--data", help="dataset directory")
    parser.add_argument("--checkpoint", choices=CHECKPOINTS, default="newest", help=CHECKPOINT_HELP)
    parser.add_argument(
        "--compare",
        nargs="+",
        metavar="RUN",
        help="instead: a table of the reports that earlier evaluations of these runs have written",
    )
    parser.add_argument("--split", default="validation", help="default: validation")
    parser.add_argument(
        "--views",
        nargs="+",
        type=int,
        choices=VIEW_COUNTS,
        default=[1],
        help="default: 1, center; of several, a report each",
    )
    parser.add_argument("--batch-size", type=int, default=64, help="default: 64")
    return parser


def _check(arguments: argparse.Namespace) -> None:
    """Raises ConfigError for arguments that are wrong whatever the runs hold."""
    if not arguments.run or not arguments.data:
        raise ConfigError("expected --run and --data, or --compare with run directories")
    weights, runs = arguments.weights, len(arguments.run)
    if weights is not None and (
        len(weights) != runs
        or not all(math.isfinite(w) and w >= 0 for w in weights)
        or not max(weights) > 0
    ):
        raise ConfigError(
            f"--weights: expected {runs} numbers of at least 0, one for each --run, received"
            f" {weights}"
        )
    if arguments.search_weights and runs < 2:
        raise ConfigError(f"--search-weights: expected several --run, received {runs}")
    if arguments.batch_size < 1:
        raise ConfigError(f"--batch-size: expected at least 1, received {arguments.batch_size}")


def _counted(
    stream: Iterable[Predictions], classes: int, arguments: argparse.Namespace
) -> tuple[list[float], str, ErrorCounts]:
    """The networks' weights, the part of the images that is counted, and its errors."""
    if arguments.search_weights:
        return _searched(stream, classes)
    weights, counts = arguments.weights or [1.0] * len(arguments.run), ErrorCounts(classes)
    for batch in stream:
        counts.add(batch.labels, average(batch.probabilities, weights))
    return weights, "all", counts


def _searched(stream: Iterable[Predictions], classes: int) -> tuple[list[float], str, ErrorCounts]:
    """Weights from the images at even positions, and the errors at odd ones.

    Holds the odd half's probabilities: 100 MB a network for ImageNet's validation split.
    """
    true_class, rest, position = [], [], 0
    for batch in stream:
        even = (position + np.arange(len(batch.labels))) % 2 == 0
        position += len(batch.labels)
        labels = batch.labels[even]
        true_class.append(batch.probabilities[:, even][:, np.arange(len(labels)), labels])
        rest.append((batch.labels[~even], batch.probabilities[:, ~even]))
    weights = best_weights(np.concatenate(true_class, axis=1))
    counts = ErrorCounts(classes)
    for labels, probabilities in rest:
        counts.add(labels, average(probabilities, weights))
    shown = ", ".join(f"{weight:.3f}" for weight in weights)
    print(f"weights found on the images at even positions: {shown}; errors on the others:")
    return weights.tolist(), "odd positions", counts


def _write(subject: report.Subject, counts: ErrorCounts, first: run_directory.Run) -> None:
    """Prints the line, and writes the report as JSON and Markdown, each under a temporary name."""
    content = report.as_json(subject, counts)
    print(report.line(content))
    dataset = subject.info.fingerprint
    name = report_name(
        subject.runs,
        subject.weights,
        subject.split,
        subject.views,
        part=subject.part,
        checkpoint=subject.checkpoint,
        other_dataset="" if dataset == first.info.fingerprint else dataset,
    )
    directory = first.path / "evaluation"
    path = directory / f"{name}.json"
    with cli.writing(path):
        directory.mkdir(exist_ok=True)
        write_text(path, json.dumps(content, indent=1) + "\n")
        write_text(directory / f"{name}.md", report.as_markdown(subject, counts))
    print(f"report: {path}")


if __name__ == "__main__":
    cli.run(main)
