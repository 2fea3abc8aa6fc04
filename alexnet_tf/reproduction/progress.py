"""How much of a reproduction there is, and how long the rest takes."""

from __future__ import annotations

from collections.abc import Sequence

from alexnet_tf.reproduction.outcome import Outcomes
from alexnet_tf.reproduction.runs import Training


class Remaining:
    """Seconds that trainings take: as other seeds of them did, else as the claim's hours say.

    guesses: seconds of one training of a claim, by the claim's name.
    """

    def __init__(self, outcomes: Outcomes, guesses: dict[str, float]):
        self.outcomes, self.guesses = outcomes, guesses

    def seconds(self, trainings: Sequence[Training]) -> float:
        return sum(self._one(training) for training in trainings)

    def _one(self, training: Training) -> float:
        if training.config is None:  # no training: some minutes at most
            return 0.0
        there = [o.machine_seconds for o in self.outcomes.of(training.identity)]
        known = [seconds for seconds in there if seconds is not None]
        return sum(known) / len(known) if known else self.guesses[training.claim]


def clock(seconds: float) -> str:
    """hours:minutes, rounded up to a minute."""
    minutes = -(-round(seconds) // 60)
    return f"{minutes // 60}:{minutes % 60:02d} h"
