"""Whether one tower's first kernels are colored and the other's are not, run by run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alexnet_tf.network.operations import Settings
from alexnet_tf.reproduction.estimate import LEVEL, Estimate
from alexnet_tf.reproduction.kernel_color import chance, color_share
from alexnet_tf.reproduction.measures import towers_of
from alexnet_tf.reproduction.outcome import Outcome


class TowersOfRun(Settings):
    """The color shares of towers a and b, and how often chance makes them differ as much."""

    identity: str
    seed: int
    color: tuple[float, float]
    chance: float


def runs_of(rows: Iterable[Sequence[Outcome]]) -> tuple[TowersOfRun, ...]:
    """Of all outcomes that say it of two towers; the first row's must. Of each seed the first: with
    the same seed, networks that are alike begin with the same kernels. Raises RunError.
    """
    found = []
    for number, row in enumerate(rows):
        for outcome in row:
            if outcome.seed in [run.seed for run in found]:
                continue
            if number == 0 or (outcome.first_layer is not None and len(outcome.first_layer) == 2):
                towers = towers_of(outcome)
                found.append(
                    TowersOfRun(
                        identity=outcome.identity,
                        seed=outcome.seed,
                        color=tuple(map(color_share, towers)),
                        chance=chance(towers),
                    )
                )
    return tuple(found)


def share(runs: Sequence[TowersOfRun], at_most: float) -> Estimate:
    """Of runs that chance makes in at most such a share of cases, with the interval over runs.

    C. J. Clopper and E. S. Pearson's (1934): exact, as there may be a single run.
    """
    from scipy.stats import binomtest  # takes a second, and only a conclusion needs it

    found = sum(run.chance <= at_most for run in runs)
    low, high = binomtest(found, len(runs)).proportion_ci(LEVEL, method="exact")
    return Estimate(found / len(runs), float(low), float(high))
