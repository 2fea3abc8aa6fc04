"""Claims put to the test: what is missing of their trainings is made, then each is concluded."""

from __future__ import annotations

import functools
import signal
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alexnet_tf import cli
from alexnet_tf.errors import JobError
from alexnet_tf.figures.page import save, style
from alexnet_tf.reproduction import stopping, words
from alexnet_tf.reproduction.children import Interrupted
from alexnet_tf.reproduction.claim import Claim
from alexnet_tf.reproduction.claim_parts import ScaleName
from alexnet_tf.reproduction.completion import complete
from alexnet_tf.reproduction.conclusion import conclude
from alexnet_tf.reproduction.datasets import DATASETS
from alexnet_tf.reproduction.listing import WIDTH
from alexnet_tf.reproduction.outcome import Outcome, Outcomes
from alexnet_tf.reproduction.page import PLOT, RESULT, place
from alexnet_tf.reproduction.plot import plot
from alexnet_tf.reproduction.progress import Remaining
from alexnet_tf.reproduction.result import Result, write
from alexnet_tf.reproduction.runs import Training, trainings
from alexnet_tf.reproduction.work import Work
from alexnet_tf.reproduction.workers import shares
from preprocessing.dataset.info import read_info
from preprocessing.dataset.printable import counted


@dataclass(frozen=True)
class Request:
    """What is asked for. seeds: None, as many as each claim says. runs: where trainings lie.

    until_decided: no more seeds than decide a claim. jobs: so many trainings at once, each on its
    share of the cores.
    """

    data: str
    output: Path
    runs: Path
    scale: ScaleName
    seeds: int | None = None
    until_decided: bool = False
    jobs: int = 1


def reproduce(claims: Sequence[Claim], request: Request) -> int:
    """Runs what is missing of the claims' arms and seeds, and writes each claim's result.

    Returns the exit code: 0, also where SIGTERM stopped it; 130 where Ctrl-C did.

    Raises UserError: other data than a claim needs (before anything is written), or a mistake in
    a training. JobError: trainings failed; all others were made, and what has all of its own is
    concluded.
    """
    info = read_info(request.data)
    for claim in claims:
        DATASETS[claim.scale(request.scale).data].check(info, request.data)
    shares(request.jobs)
    plans = {
        claim.name: trainings(claim, request.scale, _seeds(claim, request), info)
        for claim in claims
    }
    outcomes = Outcomes(request.output / "outcomes")
    for line in outcomes.unusable:
        print(line, flush=True)
    complete(outcomes, request.runs)
    remaining = Remaining(outcomes, _guesses(claims, request), request.jobs)
    work = Work(plans.values(), request.data, request.runs, outcomes, remaining)
    work.announce()
    waiting, found = list(claims), {}

    def concluded(claim: Claim, plan: Sequence[Training]) -> Result:
        return _concluded(claim, request, plan, outcomes, info.source)

    def decided(claim: Claim, plan: Sequence[Training]) -> bool:
        return stopping.decides(claim, concluded(claim, plan))

    def settle(claim: Claim) -> None:
        result = concluded(claim, plans[claim.name])
        if result != found.get(claim.name):
            _tell(result, place(request.output, claim.name, request.scale))
        found[claim.name] = result

    try:
        for _ in work.done():
            for claim in waiting if request.until_decided else ():
                decides = functools.partial(decided, claim)
                plans[claim.name] = stopping.enough(plans[claim.name], work.complete, decides)
            work.only(plans.values())
            ready = [claim for claim in waiting if work.complete(plans[claim.name])]
            for claim in ready:
                waiting.remove(claim)
                settle(claim)
        for claim in claims:  # again, as the trainings of other claims may tell more of it
            if claim.name in found:
                settle(claim)
    except Interrupted as stop:
        print("stopped; the same command goes on")
        return 130 if stop.number == signal.SIGINT else 0
    if work.failed:
        failed = counted(len(work.failed), "training")
        raise JobError(f"{failed} failed: {'; '.join(work.failed.values())}")
    return 0


def _seeds(claim: Claim, request: Request) -> range:
    return range(1, request.seeds + 1) if request.seeds else claim.seeds_at(request.scale)


def _guesses(claims: Sequence[Claim], request: Request) -> dict[str, float]:
    """Seconds of one training, from the claim's hours."""
    return {
        claim.name: 3600
        * claim.scale(request.scale).hours
        / (max(1, len(claim.networks)) * len(claim.seeds_at(request.scale)))
        for claim in claims
    }


def _concluded(
    claim: Claim,
    request: Request,
    plan: Sequence[Training],
    outcomes: Outcomes,
    source: str,
) -> Result:
    by_arm: dict[str, list[Outcome]] = {arm: [] for arm in claim.arms}
    for training in plan:
        by_arm[training.arm].append(outcomes.get(*training.key))
    data = f"{DATASETS[claim.scale(request.scale).data].what} (source: {source})"
    planned = _seeds(claim, request)[-1]
    if planned <= max(training.seed for training in plan):
        planned = None
    return conclude(claim, request.scale, data, by_arm, outcomes.networks(), planned)


def _tell(result: Result, folder: Path) -> None:
    """Writes result and plot, and prints the paragraph."""
    with cli.writing(folder), style():
        folder.mkdir(parents=True, exist_ok=True)
        save(plot(result), folder / PLOT)
        write(result, folder / RESULT)
    print(f"\n{textwrap.fill(words.paragraph(result), WIDTH)}\nresult: {folder}\n", flush=True)
