"""One Markdown page of the results in some directories: a table, then a section a claim."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from alexnet_tf.errors import RunError
from alexnet_tf.reproduction import undecided, words
from alexnet_tf.reproduction.result import Result, read

CLAIMS, RESULT, PLOT = "claims", "result.json", "plot.png"
HEAD = ("claim", "published", "here (95 % interval, seeds)", "verdict", "scale", "machine time")


def place(output: Path, claim: str, scale: str) -> Path:
    """The directory of a claim's result and plot."""
    return output / CLAIMS / claim / scale


def found(directories: Sequence[str | os.PathLike]) -> list[tuple[Path, Result]]:
    """All results below them, by claim and scale. Raises RunError: none, or a damaged one."""
    paths = [p for d in directories for p in Path(d).glob(f"{CLAIMS}/*/*/{RESULT}")]
    if not paths:
        shown = ", ".join(map(os.fspath, directories))
        raise RunError(
            f"expected a directory that reproduce wrote its results in (--output), received {shown}"
        )
    rows = [(path, read(path)) for path in paths]
    return sorted(rows, key=lambda row: (row[1].claim, row[1].scale, os.fspath(row[0])))


def markdown(
    rows: Sequence[tuple[Path, Result]],
    page: Path,
    conclusions: Sequence[str] = (),
    more: Sequence[str] = (),
) -> str:
    """The page that is to lie at `page`, from where plots are linked.

    conclusions: parts after the table. more: parts at the page's end.
    """
    table = tabulate([_row(result) for _, result in rows], HEAD, "pipe", disable_numparse=True)
    machines = sorted({name for _, result in rows for name in result.processors})
    parts = [
        "# Reproduction",
        "Verdicts are computed: *verified* means that the 95 % interval of the effect lies wholly"
        " on the claim's side, *contradicted* on the other, *inconclusive* that it holds both,"
        " or that it allows for other pictures only and not for other trainings."
        " Each holds for the data and the scale named beside it, and for nothing else. At scale"
        " *short* trainings are shorter, their rates falling at the same shares of them, and those"
        " on ImageNet have fewer classes, smaller pictures and half the width, too: errors are"
        " higher than published ones, only the comparison of arms means something, and a training"
        " may be too short for a difference to show."
        " The pictures are those of the dataset named: its `source` says what they were converted"
        " from, and `folder` means files of pictures, which may be compressed copies of the first"
        f" ones. Machine time is that of training, on {'; '.join(machines)}.",
        table,
        *conclusions,
    ]
    for path, result in rows:
        parts += _section(path, result, page)
    return "\n\n".join([*parts, *more]) + "\n"


def _row(result: Result) -> tuple[str, ...]:
    anchor = f"{result.claim}-{result.scale}".replace(".", "")
    cells = (
        f"[{result.claim}](#{anchor})",
        words.published(result),
        words.here(result),
        result.verdict,
        result.scale,
        words.hours(result),
    )
    return tuple(cell.replace("|", "\\|") for cell in cells)


def _section(path: Path, result: Result, page: Path) -> list[str]:
    plot = os.path.relpath(path.with_name(PLOT), page.parent)
    arms = [
        (
            name,
            words.figure(result, result.published.arms[name])
            if name in result.published.arms
            else "",
            words.figure(result, words.mean(arm)),
            ", ".join(words.figure(result, number) for number in arm.by_seed),
            f"{arm.epochs or ''}",
        )
        for name, arm in result.arms.items()
    ]
    head = ("arm", "published", "here", "by seed", "epochs")
    return [
        f"## {result.claim}-{result.scale}",
        f"{result.statement} ({result.source}.)",
        f"**{result.verdict.capitalize()}** at scale {result.scale}: the"
        f" {words.measure(result)}. Effect {words.effect_with_interval(result)}; the interval holds"
        f" 95 % over {result.covered}. {words.meaning(result)} Data: {result.data},"
        f" fingerprint {result.dataset[:12]}.",
        *filter(None, (undecided.sentence(result), words.stopped(result), words.division(result))),
        *filter(None, (words.discordance(result), result.note)),
        tabulate(arms, head, "pipe", disable_numparse=True),
        *_runs(result),
        f"![{result.claim}: errors over the epochs, and the arms' figures]({plot})",
    ]


def _runs(result: Result) -> list[str]:
    """A table of the runs that an every-run claim is about; of another: nothing."""
    rows = [
        (run.identity, str(run.seed), *(f"{color:.1%}" for color in run.color), f"{run.chance:.2g}")
        for run in result.runs
    ]
    head = ("network", "seed", "color of tower a", "of tower b", "as different by chance")
    return [tabulate(rows, head, "pipe", disable_numparse=True)] if rows else []
