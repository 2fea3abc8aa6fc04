"""python -m alexnet_tf.visualize: the paper's figures 3 and 4, errors by class, training curves."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from alexnet_tf import cli
from alexnet_tf.config.choices import CHECKPOINT_HELP, CHECKPOINTS, VIEW_COUNTS
from alexnet_tf.errors import ConfigError, RunError
from alexnet_tf.evaluation.comparison import reports_of
from alexnet_tf.figures.classes import class_errors, confusion_matrix
from alexnet_tf.figures.curves import Course, curves
from alexnet_tf.figures.figure4 import ClassifiedImage, Neighbors, figure_4
from alexnet_tf.figures.page import save, save_pixels, style
from alexnet_tf.figures.tiles import figure_3
from alexnet_tf.runs import log
from preprocessing.dataset.atomic import write_text

if not cli.HELP:  # which needs none of these, and TensorFlow takes seconds to load
    from alexnet_tf.data.split import Split
    from alexnet_tf.evaluation import run_page
    from alexnet_tf.evaluation.error_counts import ErrorCounts
    from alexnet_tf.evaluation.image_features import FeatureExtractor, nearest_neighbors, together
    from alexnet_tf.evaluation.labelled_split import count_errors, open_split
    from alexnet_tf.evaluation.predictions import Network
    from alexnet_tf.evaluation.present_weights import PresentWeights
    from alexnet_tf.evaluation.report import Subject
    from alexnet_tf.network.weights import arrays_of, first_kernels
    from alexnet_tf.runs import directory as run_directory
    from alexnet_tf.runs.directory import Run
    from alexnet_tf.runs.restore import restored_model
    from alexnet_tf.runs.stored_weights import weights_sha256

IMAGES, QUERIES, NEAREST, TOP = 8, 5, 6, 5  # of Figure 4, as in the paper
SEARCHED = 2000  # test images among which one of each class is sought
SIDE = 144  # of the images shown, at most
PAGE = "report.html"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.gallery < NEAREST:
        raise ConfigError(f"--gallery: expected at least {NEAREST}, received {arguments.gallery}")
    if arguments.html and len(arguments.run) > 1:
        raise ConfigError(f"--html: expected one --run, received {len(arguments.run)}")
    runs = [run_directory.load(path) for path in arguments.run]
    test, train = (open_split(runs, arguments.data, name) for name in (arguments.split, "train"))
    for run in runs:
        if test.info.image_size != run.info.image_size:
            raise RunError(
                f"expected images of {run.info.image_size} pixels, as {run.path} was trained on,"
                f" received {test.info.image_size} in {arguments.data}"
            )
    alone = runs[0] if len(runs) == 1 else None
    train = train.first(max(run.config.data.fraction for run in runs))
    trained = alone is not None and (alone.path / log.LOG).is_file()  # not of imported weights
    epochs = course(alone) if trained else None
    # A damaged one is told at once.
    earlier = list(reports_of(alone.path).values()) if arguments.html else []
    networks = [restored_model(run, arguments.checkpoint) for run in runs]
    counts = count_errors(networks, test, arguments.views)
    names = [name.text for name in test.info.classes]
    output = Path(arguments.output)
    with style(), cli.writing(output):
        output.mkdir(parents=True, exist_ok=True)
        save(_figure_4(runs, networks, test, train, arguments.gallery), output / "figure4.png")
        save(_class_errors(counts, names), output / "classes.png")
        save(confusion_matrix(counts.confusion, names), output / "confusion.png")
        if alone is not None:
            kernels = first_kernels(networks[0][0])
            save_pixels(figure_3(kernels, factor=5), output / "figure3.png")
        if epochs is not None:
            title = f"{alone.config.network.variant}: training"
            save(curves(epochs, title), output / "curves.png")
        if arguments.html:
            where = ([str(alone.path)], [1.0], test.name, arguments.views, test.info, "all")
            digest = weights_sha256(arrays_of(networks[0][0]))
            subject = Subject(*where, arguments.checkpoint, [digest])
            present = PresentWeights()
            marked = [(report, present.mark(report, alone.path)) for report in earlier]
            page = run_page.run_page(
                alone,
                networks[0][0].count_params(),
                run_page.Measured(subject, counts, marked),
                _drawn(output, trained),
                run_page.commands(
                    alone, arguments.data, subject, sys.argv[1:] if argv is None else argv
                ),
            )
            write_text(output / PAGE, page)
    for path in sorted(output.glob("*.png")):
        print(path)
    if arguments.html:
        print(output / PAGE)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(prog="python -m alexnet_tf.visualize", description=__doc__)
    parser.add_argument(
        "--run",
        required=True,
        action="append",
        help="run directory; of several averaged, figure 4 and the errors by class",
    )
    parser.add_argument("--data", required=True, help="dataset directory")
    parser.add_argument("--output", required=True, help="directory for the PNG files")
    parser.add_argument(
        "--html", action="store_true", help=f"all of it also as one web page, OUTPUT/{PAGE}"
    )
    parser.add_argument("--checkpoint", choices=CHECKPOINTS, default="newest", help=CHECKPOINT_HELP)
    parser.add_argument("--split", default="validation", help="of the test images; validation")
    parser.add_argument(
        "--views", type=int, choices=VIEW_COUNTS, default=1, help="default: 1, center"
    )
    parser.add_argument(
        "--gallery",
        type=int,
        default=5000,
        help="training images among which neighbors are sought, the first in the dataset's"
        " (random) order; default 5000",
    )
    return parser


def course(run: Run) -> Course:
    """From the run's log; an epoch that was done twice counts as it was done last.

    Raises RunError if no epoch is done.
    """
    epochs = log.by_epoch(log.records(run.path, "epoch"))
    rates = log.by_epoch(log.records(run.path, "steps"))
    if not epochs:
        raise RunError(f"expected a finished epoch in {run.path / log.LOG}, found none")
    column = lambda name: [row.get(name) for row in epochs.values()]  # noqa: E731
    return Course(
        column("train loss"),
        column("train top1_error"),
        column("validation loss"),
        column("validation top1_error"),
        column("validation top5_error"),
        [rates.get(epoch, {}).get("learning rate/weights") for epoch in epochs],
    )


def _figure_4(
    runs: Sequence[Run], networks: Sequence[Network], test: Split, train: Split, limit: int
) -> Figure:
    """The test images are the first of each class, in the dataset's (random) order."""
    names = [name.text for name in test.info.classes]
    extractors = [
        FeatureExtractor(network, run.config.network, test.info.image_size)
        for run, network in zip(runs, networks, strict=True)
    ]
    seen, known = (
        together([extractor.extract(split, count, SIDE) for extractor in extractors])
        for split, count in ((test, SEARCHED), (train, limit))
    )
    _, firsts = np.unique(seen.labels, return_index=True)
    chosen = np.sort(firsts)[:IMAGES]
    classified = [
        ClassifiedImage(
            seen.images[i],
            names[seen.labels[i]],
            [(names[j], float(seen.probabilities[i, j])) for j in _best(seen.probabilities[i])],
        )
        for i in chosen
    ]
    queries = np.sort(firsts)[-QUERIES:]  # other ones, where there are enough classes
    nearest = nearest_neighbors(seen.features[queries], known.features, NEAREST)
    neighbors = [
        Neighbors(
            seen.images[i],
            names[seen.labels[i]],
            list(known.images[rows]),
            (known.labels[rows] == seen.labels[i]).tolist(),
        )
        for i, rows in zip(queries, nearest, strict=True)
    ]
    return figure_4(classified, neighbors)


def _drawn(output: Path, trained: bool) -> run_page.Figures:
    """The figures that have been written there."""
    names = ("figure3", "figure4", "confusion", *(["curves"] if trained else []))
    return run_page.Figures(*((output / f"{name}.png").read_bytes() for name in names))


def _best(probabilities: np.ndarray) -> np.ndarray:
    return np.argsort(-probabilities, kind="stable")[:TOP]


def _class_errors(counts: ErrorCounts, names: Sequence[str]) -> Figure:
    rows = counts.per_class()
    top1, top5 = (np.array([getattr(row, f"top{k}_error") for row in rows]) for k in (1, 5))
    return class_errors([names[row.label] for row in rows], top1, top5)


if __name__ == "__main__":
    cli.run(main)
