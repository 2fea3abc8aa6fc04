"""Reports of several runs as one table: what `evaluate` wrote into their directories."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from alexnet_tf.cli import printable
from alexnet_tf.errors import RunError

MAX_BYTES = 256 << 20
COLUMNS = ("run", "split", "views", "images", "top-1 error (95 %)", "top-5 error", "log-loss")
ALIGNED = ("left", "left", "right", "right", "left", "right", "right")


def comparison(runs: Sequence[str | os.PathLike]) -> str:
    """A row for each report of each run, the lowest top-1 error first.

    Errors are only comparable over the same images: reports of several datasets are in tables of
    their own, and those of other splits or views keep to themselves within a table.

    Raises RunError: no run directory, one without reports, or a damaged report.
    """
    reports = [report for run in runs for report in _reports(Path(run))]
    tables = []
    for dataset in dict.fromkeys(report["dataset"] for report in reports):
        rows = sorted(
            (report for report in reports if report["dataset"] == dataset),
            key=lambda r: (r["split"], r["images"], r["views"], r["top1_error"], r["top5_error"]),
        )
        cells = [_cells(report) for report in rows]
        table = tabulate(cells, COLUMNS, "simple", disable_numparse=True, colalign=ALIGNED)
        tables.append(f"dataset {dataset[:12]}\n{table}")
    return "\n\n".join(tables)


def _reports(run: Path) -> list[dict]:
    if not os.path.isfile(run / "config.yaml"):
        raise RunError(f"--compare: expected a run directory with config.yaml, received {run}")
    paths = sorted((run / "evaluation").glob("*.json"))
    if not paths:
        raise RunError(
            f"--compare: expected a report in {run / 'evaluation'}, found none; make one with"
            f" python -m alexnet_tf.evaluate --run {run} --data DATA"
        )
    return [read_report(path) for path in paths]


def reports_of(run: Path) -> list[dict]:
    """The reports of one run alone, of no ensemble; there may be none. RunError: one is damaged."""
    reports = [read_report(path) for path in sorted((run / "evaluation").glob("*.json"))]
    return [report for report in reports if len(report["runs"]) == 1]


def read_report(path: Path) -> dict:
    """A report as `evaluate` wrote it. Raises RunError if it is damaged."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("it is too large")
        report = json.loads(path.read_bytes())
        _cells(report)
        _, _ = map(float, report["top5_interval"])  # for a page or a card, which show it too
        hash((report["dataset"][:12], report["images"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise RunError(
            f"{path} is damaged ({type(error).__name__}: {error}); evaluate the run again"
        ) from error
    return report


def _cells(report: dict) -> tuple[str, ...]:
    low, high = report["top1_interval"]
    part = "" if report["images"] == "all" else f" ({report['images']})"
    best = " (best)" if report.get("checkpoint") == "best" else ""
    return (
        printable(" + ".join(_weighted(report))) + best,
        f"{report['split']}{part}",
        f"{report['views']:d}",
        f"{report['examples']:,d}",
        f"{report['top1_error']:.2%} ({low:.2%} to {high:.2%})",
        f"{report['top5_error']:.2%}",
        f"{report['loss']:.4f}",
    )


def _weighted(report: dict) -> list[str]:
    """The runs, with the weights that they were averaged with where those differ."""
    weights = report.get("weights") or [1.0]
    if min(weights) == max(weights):
        return report["runs"]
    return [f"{w:.3g}·{run}" for w, run in zip(weights, report["runs"], strict=True)]
