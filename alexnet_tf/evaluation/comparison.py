"""Reports of several runs as one table: what `evaluate` wrote into their directories."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tabulate import tabulate

from alexnet_tf.cli import printable
from alexnet_tf.config.choices import CHECKPOINTS
from alexnet_tf.errors import RunError

MAX_BYTES = 256 << 20
COLUMNS = ("run", "split", "views", "images", "top-1 error (95 %)", "top-5 error", "log-loss")
ORDER = ("split", "images", "views", "top1_error", "top5_error")
ALIGNED = ("left", "left", "right", "right", "left", "right", "right")


def comparison(runs: Sequence[str | os.PathLike], mark: Callable[[dict, Path], str]) -> str:
    """A row for each report of each run, the lowest top-1 error first.

    Errors are only comparable over the same images: reports of several datasets are in tables of
    their own, and those of other splits or views keep to themselves within a table.

    Args: mark, what is to be said of a report's weights: `PresentWeights.mark`.
    Raises RunError: no run directory, one without reports, or a damaged report.
    """
    reports = [(report, Path(run)) for run in runs for report in _reports(Path(run))]
    tables = []
    for dataset in dict.fromkeys(report["dataset"] for report, _ in reports):
        rows = sorted(
            ((report, run) for report, run in reports if report["dataset"] == dataset),
            key=lambda row: [row[0][column] for column in ORDER],
        )
        cells = [_cells(report, mark(report, run)) for report, run in rows]
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


def reports_of(run: Path) -> dict[Path, dict]:
    """The reports of one run alone, of no ensemble, by file; there may be none.

    RunError: one is damaged.
    """
    reports = {path: read_report(path) for path in sorted((run / "evaluation").glob("*.json"))}
    return {path: report for path, report in reports.items() if len(report["runs"]) == 1}


def reports_of_weights(run: Path, sha256: str) -> dict[Path, dict]:
    """Those on exactly these weights, as `weights_sha256` knows them.

    A report of an older version, which does not say what it measured, may be of other ones: it is
    none of them until the run is evaluated again.
    """
    reports = reports_of(run).items()
    return {path: report for path, report in reports if report.get("weights_sha256") == [sha256]}


def read_report(path: Path) -> dict:
    """A report as `evaluate` wrote it. Raises RunError if it is damaged."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("it is too large")
        report = json.loads(path.read_bytes())
        _cells(report)
        _expect_weights(report)
        _, _ = map(float, report["top5_interval"])  # for a page or a card, which show it too
        hash((report["dataset"][:12], report["images"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise RunError(
            f"{path} is damaged ({type(error).__name__}: {error}); evaluate the run again"
        ) from error
    return report


def _expect_weights(report: dict) -> None:
    """Raises ValueError, TypeError where a report does not say right what it measured."""
    if report.get("checkpoint", "newest") not in CHECKPOINTS:
        raise ValueError(f"expected checkpoint in {CHECKPOINTS}")
    digests = report.get("weights_sha256")
    if digests is not None and list(map(type, digests)) != [str] * len(report["runs"]):
        raise ValueError("expected weights_sha256 of each run")


def _cells(report: dict, mark: str = "") -> tuple[str, ...]:
    low, high = report["top1_interval"]
    part = "" if report["images"] == "all" else f" ({report['images']})"
    notes = ", ".join(["best"] * (report.get("checkpoint") == "best") + [mark] * bool(mark))
    return (
        printable(" + ".join(_weighted(report))) + (f" ({notes})" if notes else ""),
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
