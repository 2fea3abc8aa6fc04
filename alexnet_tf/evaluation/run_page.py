"""A run as one web page: its errors, figures, settings, and the commands that repeat it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alexnet_tf.config import files as config_files
from alexnet_tf.evaluation import report
from alexnet_tf.evaluation.error_counts import ClassErrors, ErrorCounts
from alexnet_tf.figures.html_page import document, folded, listing, note, picture, section, table
from alexnet_tf.runs import log
from alexnet_tf.runs.directory import Run
from alexnet_tf.runs.machine import here

YEAR_2242 = 1 << 33  # seconds; a later time in a log is none


@dataclass(frozen=True)
class Figures:
    """PNG files."""

    figure_3: bytes
    figure_4: bytes
    confusion: bytes
    curves: bytes | None = None  # of a run that was not trained here, but imported


@dataclass(frozen=True)
class Measured:
    """Errors: those counted for the page, and what earlier evaluations of the run reported, each
    with what is to be said of its weights (see `PresentWeights.mark`)."""

    subject: report.Subject
    counts: ErrorCounts
    earlier: Sequence[tuple[Mapping, str]]


def run_page(
    run: Run,
    parameters: int,
    measured: Measured,
    figures: Figures,
    commands: Sequence[str],
) -> str:
    """The page, in HTML.

    Args:
        parameters: how many numbers the network has learned.
        commands: one a line, which make the run and the page once more.
    """
    subject, counts = measured.subject, measured.counts
    content = report.as_json(subject, counts)
    names = [name.text for name in run.info.classes]
    worst = counts.worst_classes(report.WORST)
    epochs = log.by_epoch(log.records(run.path, "epoch"))
    sections = [
        section("Errors", *_errors(content, measured.earlier)),
        section(
            "What the first layer has learned (the paper's Figure 3)",
            picture(figures.figure_3, "The kernels of the first layer"),
            note("Mid-grey is a weight of zero; every kernel has its own scale."),
        ),
        section(
            "Answers, and images found alike (the paper's Figure 4)",
            picture(figures.figure_4, "Test images, answers, nearest training images", wide=True),
            note(f"Images of the {subject.split} split, the first of their classes."),
        ),
        section("Confusion", picture(figures.confusion, "The confusion matrix", wide=True)),
        section(f"The {len(worst)} worst classes", _worst(worst, names)),
        section("Configuration", folded("All settings", listing(config_files.to_yaml(run.config)))),
        section("Where and when", *_machine(run, epochs)),
        section("To repeat it", listing("\n".join(commands))),
    ]
    if figures.curves is not None:
        drawn = picture(figures.curves, "Loss, error and learning rate over the epochs")
        sections.insert(1, section("Training", drawn))
    title = f"{run.config.network.variant}: {run.path.resolve().name}"
    return document(title, _summary(run, parameters, len(epochs), content), sections)


def commands(run: Run, data: str, subject: report.Subject, page: Sequence[str]) -> list[str]:
    """What makes the run once more, measures it, and makes the page.

    Args: page, the arguments that `visualize` was given.
    """
    again = f"{run.path}-again"
    trained = (run.path / log.LOG).is_file()
    train = ["train", "--config", str(run.path / "config.yaml"), "--data", data, "--run", again]
    evaluate = ["evaluate", "--run", again if trained else str(run.path), "--data", data]
    evaluate += ["--split", subject.split, "--views", str(subject.views)]
    evaluate += ["--checkpoint", subject.checkpoint]
    rows = [*([train] if trained else []), evaluate, ["visualize", *page]]
    return [shlex.join(("python", "-m", f"alexnet_tf.{row[0]}", *row[1:])) for row in rows]


def _summary(run: Run, parameters: int, epochs: int, content: Mapping) -> str:
    info = run.info
    if epochs:
        made = f"trained for {epochs} epoch{'s' * (epochs > 1)} on {run.training_images:,} images"
    else:
        made = "of imported weights, for images"
    top1, top5 = (report.with_interval(content, which) for which in ("top1", "top5"))
    return (
        f"Network {run.config.network.variant} of {parameters:,} parameters, {made} of"
        f" {len(info.classes):,} classes ({info.source}, {info.image_size} pixels). On the"
        f" {content['examples']:,} images of the {content['split']} split: top-1 error {top1},"
        f" top-5 error {top5}."
    )


def _errors(measured: Mapping, reports: Sequence[tuple[Mapping, str]]) -> tuple[str, str]:
    head = ("images", "views", "checkpoint", "top-1 error", "top-5 error", "log-loss, nats")
    which = ("dataset", "split", "images", "views", "checkpoint")
    same = tuple(measured[key] for key in which)
    before = [
        (report, mark)
        for report, mark in reports
        if tuple(report.get(key, "newest") for key in which) != same
    ]
    rows = [
        (
            f"{row['examples']:,} of {row['split']}"
            + ("" if row["dataset"] == measured["dataset"] else ", of another dataset")
            + (f", {mark}" if mark else ""),
            row["views"],
            row.get("checkpoint", "newest"),
            report.with_interval(row, "top1"),
            report.with_interval(row, "top5"),
            f"{row['loss']:.4f}",
        )
        for row, mark in ((measured, ""), *before)
    ]
    earlier = "" if len(rows) == 1 else " The first row was measured for this page, the others by"
    earlier += " earlier evaluations of the run." if earlier else ""
    shown = (measured, *(report for report, _ in before))
    best = any(row.get("checkpoint") == "best" for row in shown)
    chosen = " The best checkpoint was chosen by its error on validation images." if best else ""
    return table(head, rows, numbers=(1, 3, 4, 5)), note(f"Intervals hold 95 %.{earlier}{chosen}")


def _worst(rows: Sequence[ClassErrors], names: Sequence[str]) -> str:
    cells = report.class_cells(rows, names)
    return table(report.CLASS_HEAD, cells, numbers=(1, 2, 3))


def _machine(run: Run, epochs: Mapping[int, Mapping]) -> tuple[str, str]:
    records = log.records(run.path, "epoch")
    times = [when for row in (*log.records(run.path, "steps"), *records) if (when := _time(row))]
    rows = [("dataset's fingerprint", run.info.fingerprint)]
    if times:
        rows += [("training's first record", _date(min(times))), ("its last", _date(max(times)))]
    for column, what in (("seconds", "training's time"), ("processor seconds", "processor's time")):
        spent = log.total(records, column) if epochs else None
        if spent is not None:
            rows.append((what, f"{spent:,.0f} s in {len(epochs)} epochs"))
    rows += [(f"this page: {what}", value) for what, value in here().items()]
    said = "Software and processor are those that made this page; a run notes only its times."
    return table(("", ""), rows), note(said)


def _time(row: Mapping) -> float | None:
    """When a record was written, in seconds since 1970."""
    when = row.get("time")
    return when if isinstance(when, int | float) and 0 < when < YEAR_2242 else None


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
