"""A report of an evaluation: as JSON, as Markdown, and as a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from tabulate import tabulate

from alexnet_tf.evaluation.error_counts import BINS, ClassErrors, ErrorCounts
from alexnet_tf.evaluation.interval import wilson
from alexnet_tf.evaluation.packed import pack
from alexnet_tf.evaluation.published import beside
from preprocessing.dataset.info import DatasetInfo
from preprocessing.dataset.printable import counted

WORST = 20  # classes in a table of them
CLASS_HEAD = ("class", "images", "top-1 error", "top-5 error", "most often taken for")


@dataclass(frozen=True)
class Subject:
    """What was evaluated, and on what."""

    runs: Sequence[str]
    weights: Sequence[float]
    split: str
    views: int
    info: DatasetInfo
    part: str = "all"  # of the split's images: "all", or "odd positions" after a search
    checkpoint: str = "newest"  # of the runs; or "best"
    weights_sha256: Sequence[str] | None = None  # of each run's network; None: it is not known


def as_json(subject: Subject, counts: ErrorCounts) -> dict:
    """Everything, in numbers that JSON can hold; errors are fractions."""
    result, classes = counts.result, subject.info.classes
    rows = [
        {
            "synset": classes[c.label].synset,
            "name": classes[c.label].text,
            **asdict(c),
            "mistaken_for": None if c.mistaken_for is None else classes[c.mistaken_for].synset,
        }
        for c in counts.per_class()
    ]
    published = beside(subject.info, subject.split) if subject.part == "all" else ()
    return {
        "runs": list(subject.runs),
        "weights": list(subject.weights),
        "checkpoint": subject.checkpoint,
        "weights_sha256": subject.weights_sha256 and list(subject.weights_sha256),
        "dataset": subject.info.fingerprint,
        "split": subject.split,
        "images": subject.part,
        "views": subject.views,
        **asdict(result),
        "top1_interval": wilson(result.top1_error, result.examples),
        "top5_interval": wilson(result.top5_error, result.examples),
        "calibration_error": counts.calibration_error,
        "calibration_bins": [
            {
                "from": i / BINS,
                "to": (i + 1) / BINS,
                "images": int(n),
                "sum_of_right": right,
                "sum_of_highest_probabilities": probability,
            }
            for i, (n, right, probability) in enumerate(counts.bins.tolist())
        ],
        "classes": rows,
        # Image by image in the split's order, so that networks can be compared in pairs.
        "wrong": {f"top{k}": pack(row) for k, row in zip((1, 5), counts.wrong, strict=True)},
        "published": [asdict(row) for row in published] or None,
    }


def line(report: dict) -> str:
    """What the terminal shows."""
    return (
        f"{report['split']}, {counted(report['views'], 'view')},"
        f" {counted(report['examples'], 'image')}"
        f"{_best(report)}:"
        f" top-1 error {with_interval(report, 'top1')},"
        f" top-5 error {with_interval(report, 'top5')}, log-loss {report['loss']:.4f},"
        f" calibration error {report['calibration_error']:.2%}"
    )


def as_markdown(subject: Subject, counts: ErrorCounts) -> str:
    """The report as a page."""
    report = as_json(subject, counts)
    names = [name.text for name in subject.info.classes]
    worst = counts.worst_classes(WORST)
    parts = [
        "# Evaluation",
        f"{counted(report['examples'], 'image')} of the {report['split']} split"
        f" ({report['images']}), {counted(report['views'], 'view')} each"
        f"{_best(report)}. Intervals hold 95 %.",
        _table(
            ("", "error"),
            [
                ("top-1 error", with_interval(report, "top1")),
                ("top-5 error", with_interval(report, "top5")),
                ("log-loss, nats", f"{report['loss']:.4f}"),
                ("calibration error", f"{report['calibration_error']:.2%}"),
            ],
        ),
        "## Networks",
        _table(
            ("run", "weight"),
            [
                (run, f"{weight:.3f}")
                for run, weight in zip(report["runs"], report["weights"], strict=True)
            ],
        ),
    ]
    if report["published"]:
        parts += ["## Beside the published errors", _beside(report)]
    parts += [f"## The {len(worst)} worst classes", class_table(worst, names)]
    return "\n\n".join(parts) + "\n"


def _best(report: dict) -> str:
    """Says that the error chose the checkpoint, so that on the same images it is too low."""
    return ", checkpoint of the lowest validation error" if report["checkpoint"] == "best" else ""


def with_interval(report: Mapping, which: str) -> str:
    """The error "top1" or "top5" of what `as_json` made, with the interval that holds 95 %."""
    low, high = report[f"{which}_interval"]
    return f"{report[f'{which}_error']:.2%} ({low:.2%} to {high:.2%})"


def _beside(report: dict) -> str:
    this = {**report, "what": "this evaluation", "source": ""}
    return _table(
        ("network", "source", "views", "top-1 error", "top-5 error", "log-loss"),
        [
            (
                row["what"],
                row["source"],
                row["views"],
                f"{row['top1_error']:.2%}",
                f"{row['top5_error']:.2%}",
                "" if row["loss"] is None else f"{row['loss']:.4f}",
            )
            for row in [this, *report["published"]]
        ],
    )


def class_table(rows: Sequence[ClassErrors], names: Sequence[str]) -> str:
    """A Markdown table of some classes' errors; `names` by label."""
    return _table(CLASS_HEAD, class_cells(rows, names))


def class_cells(rows: Sequence[ClassErrors], names: Sequence[str]) -> list[tuple[str, ...]]:
    """What stands below CLASS_HEAD; `names` by label."""
    return [
        (
            names[row.label],
            f"{row.examples}",
            f"{row.top1_error:.1%}",
            f"{row.top5_error:.1%}",
            "" if row.mistaken_for is None else f"{names[row.mistaken_for]} ({row.mistaken})",
        )
        for row in rows
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence]) -> str:
    escaped = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return tabulate(escaped, head, "pipe", disable_numparse=True)
