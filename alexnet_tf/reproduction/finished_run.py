"""From a run directory that was trained and evaluated to its outcome."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from alexnet_tf.config import files as config_files
from alexnet_tf.errors import RunError
from alexnet_tf.evaluation.report_name import report_name
from alexnet_tf.network.geometry import geometry
from alexnet_tf.reproduction.identity import average_identity, identity
from alexnet_tf.reproduction.kernel_color import Kernels, kernels_of
from alexnet_tf.reproduction.outcome import Course, Errors, Outcome
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs import log
from alexnet_tf.runs.machine import here
from alexnet_tf.runs.saved_checkpoints import SavedCheckpoints
from alexnet_tf.runs.stored_kernels import stored_first_kernels

VIEWS = (1, 10)  # at which every run is measured, so that later claims find what they need


def outcome_of(
    path: Path, averaged: Sequence[int] = (), view_counts: Sequence[int] = VIEWS
) -> Outcome:
    """The outcome of a run with all of its epochs and a report for each of `view_counts`.

    Args: averaged, the seeds of an ensemble whose first network the run is, and whose reports lie
    there. It costs no training, and has no course.
    Raises RunError: epochs are missing, a report is missing, damaged, or of other weights, or
    kernels cannot be read. CheckpointError: all checkpoints are damaged.
    """
    run = run_directory.load(path)
    rows = log.records(path, "epoch")
    epochs = log.by_epoch(rows)
    if list(epochs) != list(range(run.config.training.epochs)):
        raise RunError(
            f"expected {run.config.training.epochs} epochs in {path / log.LOG}, found {len(epochs)}"
        )
    newest = SavedCheckpoints(run.checkpoints).newest_state()
    if newest is None or newest["epoch"] != len(epochs):
        raise RunError(f"expected a checkpoint of epoch {len(epochs)} in {run.checkpoints}")
    reports = {views: _report(run, views, averaged) for views in view_counts}
    same = identity(run.config, run.info.fingerprint)
    first_layer = () if averaged else _first_layer(run)
    try:
        return Outcome(
            identity=average_identity(same, averaged) if averaged else same,
            seed=run.config.training.seed,
            dataset=run.info.fingerprint,
            pictures=run.info.num_examples("validation"),
            views={views: _errors(report) for views, report in reports.items()},
            course=Course() if averaged else _course(epochs),
            machine_seconds=0.0 if averaged else log.total(rows, "seconds"),
            processor_seconds=0.0 if averaged else log.total(rows, "processor seconds"),
            made=here(),
            config=config_files.to_tree(run.config),
            images_seen=0 if averaged else _images_seen(epochs),
            first_layer=first_layer,
            averaged=tuple(averaged),
        )
    except (ValueError, KeyError, TypeError) as error:  # pydantic's is a ValueError
        reason = " ".join(str(error).split())
        raise RunError(
            f"expected a whole log and whole reports in {path}: {reason:.200}"
        ) from error


COLUMNS = {
    "training_loss": "train loss",
    "training_error": "train top1_error",
    "validation_error": "validation top1_error",
    "seconds": "seconds",
    "processor_seconds": "processor seconds",
}


def _course(epochs: Mapping[int, dict]) -> Course:
    return Course(
        **{
            name: tuple(row.get(column) for row in epochs.values())
            for name, column in COLUMNS.items()
        }
    )


def _report(run: run_directory.Run, views: int, averaged: Sequence[int]) -> dict:
    """What `evaluate` wrote. Raises RunError."""
    runs = [run.path.with_name(f"seed-{seed}") for seed in averaged] or [run.path]
    name = report_name(runs, [1.0] * len(runs), "validation", views)
    path = run.path / "evaluation" / f"{name}.json"
    try:
        report = json.loads(path.read_bytes())
        if report["dataset"] != run.info.fingerprint:
            raise RunError(f"expected a report on the run's own dataset in {path}")
        if len(report["runs"]) != len(runs) or report["views"] != views:
            raise RunError(f"expected a report of {len(runs)} networks in {views} views in {path}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(f"expected a report of evaluate in {path}: {error}") from error
    return report


def _errors(report: dict) -> Errors:
    return Errors(
        top1_error=report["top1_error"],
        top5_error=report["top5_error"],
        loss=report["loss"],
        top1_wrong=report["wrong"]["top1"],
        top5_wrong=report["wrong"]["top5"],
    )


def _images_seen(epochs: Mapping[int, dict]) -> int | None:
    """Each as often as it was; None of an older version's log, which noted none."""
    count = log.total(list(epochs.values()), "train examples")
    return None if count is None else round(count)


def _first_layer(run: run_directory.Run) -> tuple[Kernels, ...]:
    """Of each tower, as the newest checkpoint has it. Raises RunError, CheckpointError."""
    if geometry(run.config.network)[0].layer.type != "conv":
        return ()
    return tuple(map(kernels_of, stored_first_kernels(run)))
