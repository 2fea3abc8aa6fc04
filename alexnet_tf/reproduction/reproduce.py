"""Claims put to the test: what is missing of their trainings is made, then each is concluded."""

from __future__ import annotations

import signal
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alexnet_tf import cli
from alexnet_tf.errors import JobError
from alexnet_tf.figures.page import save, style
from alexnet_tf.reproduction import result as results
from alexnet_tf.reproduction import words
from alexnet_tf.reproduction.claim import Claim, ScaleName
from alexnet_tf.reproduction.completion import complete
from alexnet_tf.reproduction.datasets import DATASETS
from alexnet_tf.reproduction.listing import WIDTH
from alexnet_tf.reproduction.outcome import Outcome, Outcomes
from alexnet_tf.reproduction.page import PLOT, RESULT, place
from alexnet_tf.reproduction.plot import plot
from alexnet_tf.reproduction.progress import Remaining, clock
from alexnet_tf.reproduction.runs import Interrupted, Training, make, trainings
from preprocessing.dataset.info import read_info
from preprocessing.dataset.printable import counted


@dataclass(frozen=True)
class Request:
    """What is asked for. seeds: None, as many as each claim says. runs: where trainings lie."""

    data: str
    output: Path
    runs: Path
    scale: ScaleName
    seeds: int | None = None


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
    plans = {
        claim.name: trainings(claim, request.scale, _seeds(claim, request), info)
        for claim in claims
    }
    outcomes = Outcomes(request.output / "outcomes")
    for line in outcomes.unusable:
        print(line, flush=True)
    complete(outcomes, request.runs)
    work = _Work(request, plans, outcomes, _guesses(claims, plans, request))
    work.announce()
    try:
        for claim in claims:
            if work.complete(claim.name):
                _conclude(claim, request, plans[claim.name], outcomes, info.source)
    except Interrupted as stop:
        print("stopped; the same command goes on")
        return 130 if stop.number == signal.SIGINT else 0
    if work.failed:
        failed = counted(len(work.failed), "training")
        raise JobError(f"{failed} failed: {'; '.join(work.failed.values())}")
    return 0


class _Work:
    """The trainings of all claims, each made once."""

    def __init__(
        self,
        request: Request,
        plans: dict[str, list[Training]],
        outcomes: Outcomes,
        guesses: dict[str, float],
    ):
        self.request, self.plans, self.outcomes = request, plans, outcomes
        self.all = {t.key: t for plan in plans.values() for t in plan}
        self.remaining = Remaining(outcomes, guesses)
        self.failed: dict[tuple[str, int], str] = {}

    def announce(self) -> None:
        missing = self._missing()
        there = len(self.all) - len(missing)
        rest = f", about {clock(self.remaining.seconds(missing))}" if missing else ""
        print(
            f"trainings: {len(self.all)} in all, {there} there, {len(missing)} to be made{rest}",
            flush=True,
        )

    def complete(self, claim: str) -> bool:
        """Makes what a claim's plan lacks; False if something failed."""
        for training in self.plans[claim]:
            if training.key not in self.failed and self.outcomes.get(*training.key) is None:
                self._make(training)
        return not any(training.key in self.failed for training in self.plans[claim])

    def _make(self, training: Training) -> None:
        missing = self._missing()
        print(
            f"[{len(self.all) - len(missing) + 1}/{len(self.all)}] {training.claim},"
            f" {training.arm}, seed {training.seed}: {training.work}; about"
            f" {clock(self.remaining.seconds(missing))} left of all",
            flush=True,
        )
        try:
            outcome = make(training, self.request.data, self.request.runs)
        except JobError as error:
            self.failed[training.key] = str(error)
            print(f"failed: {error}; going on with the others", flush=True)
            return
        with cli.writing(self.outcomes.directory):
            path = self.outcomes.keep(outcome)
        errors = ", ".join(
            f"{e.top1_error:.2%} ({counted(v, 'view')})" for v, e in outcome.views.items()
        )
        print(f"top-1 error {errors}; kept as {path.name}", flush=True)

    def _missing(self) -> list[Training]:
        return [
            training
            for key, training in self.all.items()
            if key not in self.failed and self.outcomes.get(*key) is None
        ]


def _seeds(claim: Claim, request: Request) -> range:
    return range(1, request.seeds + 1) if request.seeds else claim.seeds_at(request.scale)


def _guesses(
    claims: Sequence[Claim], plans: dict[str, list[Training]], request: Request
) -> dict[str, float]:
    """Seconds of one training, from the claim's hours."""
    return {
        claim.name: 3600
        * claim.scale(request.scale).hours
        / (max(1, len(claim.networks)) * len(claim.seeds_at(request.scale)))
        for claim in claims
    }


def _conclude(
    claim: Claim, request: Request, plan: Sequence[Training], outcomes: Outcomes, source: str
) -> None:
    """Writes result and plot, and prints the paragraph."""
    by_arm: dict[str, list[Outcome]] = {arm: [] for arm in claim.arms}
    for training in plan:
        by_arm[training.arm].append(outcomes.get(*training.key))
    data = f"{DATASETS[claim.scale(request.scale).data].what} (source: {source})"
    result = results.conclude(claim, request.scale, data, by_arm, outcomes.networks())
    folder = place(request.output, claim.name, request.scale)
    with cli.writing(folder), style():
        folder.mkdir(parents=True, exist_ok=True)
        save(plot(result), folder / PLOT)
        results.write(result, folder / RESULT)
    print(f"\n{textwrap.fill(words.paragraph(result), WIDTH)}\nresult: {folder}\n", flush=True)
