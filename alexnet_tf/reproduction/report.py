"""The report: the page of all results, and of each dataset a figure of error against compute."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from alexnet_tf.figures.page import save, style
from alexnet_tf.reproduction.compute import Compute, compute_of
from alexnet_tf.reproduction.compute_plot import compute_plot
from alexnet_tf.reproduction.outcome import Outcome, Outcomes
from alexnet_tf.reproduction.page import found, markdown
from alexnet_tf.reproduction.result import Result
from preprocessing.dataset.atomic import write_text

CONCLUSIONS = "conclusions.md"
HEAD = ("claim", "arms: operations of the training, top-1 error in one view")


def write(directories: Sequence[str | os.PathLike], path: Path) -> int:
    """Writes the page of the results in directories, with a figure beside it for each dataset on
    which a trend was tried. What somebody has concluded from them, in a directory's `CONCLUSIONS`,
    follows the table. Returns how many results there are.

    Raises RunError: none, or a damaged one. OSError: one cannot be read, or the page not written.
    """
    rows = found(directories)
    networks = _outcomes(directories)
    path.parent.mkdir(parents=True, exist_ok=True)
    more = []
    for dataset in sorted({result.dataset for _, result in rows}):
        results = [result for _, result in rows if result.dataset == dataset]
        compute = compute_of(dataset, networks, results)
        if compute.trends:
            figure = path.with_name(f"{path.stem}-compute-{dataset[:12]}.png")
            with style():
                save(compute_plot(compute), figure)
            more += _section(compute, results[0], figure)
    files = [Path(directory) / CONCLUSIONS for directory in directories]
    conclusions = [file.read_text("utf-8").strip() for file in files if file.is_file()]
    write_text(path, markdown(rows, path, conclusions, more))
    return len(rows)


def _outcomes(directories: Sequence[str | os.PathLike]) -> list[list[Outcome]]:
    """Those of one identity together; of one that lies in several directories, one."""
    together: dict[str, dict[int, Outcome]] = {}
    for directory in directories:
        for rows in Outcomes(Path(directory) / "outcomes").networks():
            for outcome in rows:
                together.setdefault(outcome.identity, {})[outcome.seed] = outcome
    return [list(by_seed.values()) for by_seed in together.values()]


def _section(compute: Compute, result: Result, figure: Path) -> list[str]:
    trainings = sum(len(network.errors) for network in compute.networks.values())
    rows = [
        (claim, ", ".join(_arm(compute, arm) for arm in arms))
        for claim, arms in compute.trends.items()
    ]
    return [
        f"## Error against compute: {result.data}",
        f"{len(compute.networks)} networks, {trainings} trainings, with the claims of a trend as"
        " lines. The operations of a training are those of its layers' products, forward and"
        " backward, for each image as often as it was seen; a multiply-add is two.",
        tabulate(rows, HEAD, "pipe", disable_numparse=True),
        f"![Error against the operations of the training]({figure.name})",
    ]


def _arm(compute: Compute, identity: str) -> str:
    network = compute.networks[identity]
    return f"{network.operations:.2g}: {network.error:.1%}"
