"""How much of a reproduction there is, and how long the rest takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from alexnet_tf.reproduction.outcome import Outcomes
from alexnet_tf.reproduction.runs import Training
from alexnet_tf.runs import log


class Remaining:
    """Seconds until trainings are done: as other seeds of them took, else as the claim's hours say.

    guesses: seconds of one training of a claim alone on the machine, by the claim's name. jobs: so
    many are at work at once.
    """

    def __init__(self, outcomes: Outcomes, guesses: Mapping[str, float], jobs: int = 1):
        self.outcomes, self.guesses, self.jobs = outcomes, guesses, jobs

    def seconds(
        self, trainings: Iterable[Training], done: Mapping[tuple[str, int], float] | None = None
    ) -> float:
        """done: what part there is of those that have begun, by key."""
        done = done or {}
        return sum(self._one(t) * (1 - done.get(t.key, 0.0)) for t in trainings)

    def _one(self, training: Training) -> float:
        if training.config is None:  # no training: minutes, up to twenty
            return 0.0
        there = [o.machine_seconds for o in self.outcomes.of(training.identity)]
        known = [seconds for seconds in there if seconds is not None]
        if known:
            return sum(known) / len(known) / self.jobs
        return self.guesses[training.claim]


def epochs_done(training: Training, runs: Path) -> int:
    """Of a network that is being trained: the epochs in its run's log."""
    return len(log.by_epoch(log.records(training.directory(runs), "epoch")))


def clock(seconds: float) -> str:
    """hours:minutes, rounded up to a minute."""
    minutes = -(-round(seconds) // 60)
    return f"{minutes // 60}:{minutes % 60:02d} h"
