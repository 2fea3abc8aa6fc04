"""The effect that a claim is about: what its comparison makes of the arms' measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from alexnet_tf.reproduction import (
    kin,
    measures,
    seed_numbers,
    slope,
    specialization,
    statistics,
)
from alexnet_tf.reproduction.claim import Claim
from alexnet_tf.reproduction.claim_parts import ERRORS
from alexnet_tf.reproduction.comparison import EveryRun, Figure, Lower, Trend
from alexnet_tf.reproduction.estimate import Estimate
from alexnet_tf.reproduction.outcome import Outcome
from alexnet_tf.reproduction.specialization import TowersOfRun

Row = Sequence[Outcome]


def effect_of(
    claim: Claim,
    outcomes: Mapping[str, Row],
    related: Sequence[Row],
    runs: Sequence[TowersOfRun],
) -> Estimate:
    """In fractions, or as a ratio.

    Args: outcomes, of each arm by seed; related, further networks whose seeds spread as the arms'
    do (`kin.of`); runs, whose towers a claim of every run is about.
    """
    kind = claim.comparison
    if isinstance(kind, EveryRun):
        return specialization.share(runs, kind.chance)
    of = _Compared(claim, outcomes, related)
    if isinstance(kind, Trend):
        return _slope(kind, of)
    if isinstance(kind, Lower):
        return _difference(of) if of.by_picture else _difference_by_seed(of)
    return _distance(kind, of) if isinstance(kind, Figure) else _ratio(of)


class _Compared:
    """What the comparison names: outcomes of each arm, in its order, and their measures."""

    def __init__(self, claim: Claim, outcomes: Mapping[str, Row], related: Sequence[Row]) -> None:
        self.claim, self.related = claim, related
        self.rows = [outcomes[arm] for arm in claim.compared]
        self.views = [claim.views_of(arm) for arm in claim.compared]
        self.by_picture = claim.measure.name in ERRORS

    def wrong(self) -> list[np.ndarray]:
        """bool [seeds, pictures] of each arm."""
        pairs = zip(self.views, self.rows, strict=True)
        return [measures.wrong(self.claim.measure, views, row) for views, row in pairs]

    def kin(self, views: int | None = None) -> list[np.ndarray]:
        """The same of the related networks, in those views, or in the first arm's."""
        views = views or self.views[0]
        return [measures.wrong(self.claim.measure, views, row) for row in self.related]

    def numbers(self) -> list[list[float]]:
        """Of each arm one for each seed."""
        pairs = zip(self.views, self.rows, strict=True)
        return [measures.by_seed(self.claim.measure, views, row) for views, row in pairs]

    def kin_numbers(self) -> list[list[float]]:
        return [measures.by_seed(self.claim.measure, self.views[0], row) for row in self.related]


def _slope(trend: Trend, of: _Compared) -> Estimate:
    wrong, count = of.wrong(), len(trend.arms)
    return _fractions(
        slope.paired_slope(
            wrong[:count],
            trend.places,
            kin=of.kin(),
            than=wrong[count:],
            drawn=any(row[0].baseline is None for row in of.rows[count:]),
        )
    )


def _difference(of: _Compared) -> Estimate:
    same, spread = kin.same_runs(*of.rows), of.kin()
    if same:  # other views of the same networks: what spreads is the difference
        seconds = of.kin(of.views[1])
        spread = [
            first - second.astype(float) for first, second in zip(spread, seconds, strict=True)
        ]
    drawn = tuple(row[0].baseline is None for row in of.rows)
    return _fractions(
        statistics.paired_difference(*of.wrong(), same_runs=same, kin=spread, drawn=drawn)
    )


def _difference_by_seed(of: _Compared) -> Estimate:
    return seed_numbers.mean_difference(*of.numbers(), kin=of.kin_numbers())


def _distance(figure: Figure, of: _Compared) -> Estimate:
    """From the published figure."""
    if of.by_picture:
        arm = _fractions(statistics.error_interval(of.wrong()[0], kin=of.kin()))
    else:
        arm = seed_numbers.mean_interval(of.numbers()[0])
    return Estimate(*(end - of.claim.published.arms[figure.arm] for end in arm))


def _ratio(of: _Compared) -> Estimate:
    first, second = of.numbers()
    ends = [[float(len(o.course.training_error)) for o in row] for row in of.rows]
    return seed_numbers.ratio(second, first, ends=(ends[1], ends[0]))


def _fractions(percent: Estimate) -> Estimate:
    return Estimate(*(end / 100 for end in percent))
