"""Seeds are added until a claim is decided, and no further (`--until-decided`).

Whoever looks after every seed, and stops at the first 95 % interval that decides, gets a false
verdict in up to 12 % of cases by simulation (tests/alexnet_tf/reproduction/test_stopping.py). An
early look therefore asks for more than the last one, as in clinical trials (Haybittle 1971, Peto et
al. 1976): its interval is taken twice as wide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from alexnet_tf.reproduction import conclusion
from alexnet_tf.reproduction.claim import Claim
from alexnet_tf.reproduction.comparison import Ratio
from alexnet_tf.reproduction.estimate import Estimate
from alexnet_tf.reproduction.result import Result, interval
from alexnet_tf.reproduction.runs import Training

LEAST = 2  # seeds: one does not show how trainings differ
WIDENED = 2


def decides(claim: Claim, result: Result) -> bool:
    """Whether the result decides the claim even with a wider interval."""
    estimate = widened(interval(result), isinstance(claim.comparison, Ratio))
    return conclusion.verdict(claim, result.scale, estimate) != "inconclusive"


def widened(estimate: Estimate, ratio: bool = False) -> Estimate:
    """The estimate with an interval twice as wide; of a ratio, on a logarithmic scale."""
    value, *ends = estimate
    if ratio:
        return Estimate(value, *(value * (end / value) ** WIDENED for end in ends))
    return Estimate(value, *(value + WIDENED * (end - value) for end in ends))


def enough(
    plan: Sequence[Training],
    is_there: Callable[[Sequence[Training]], bool],
    decided: Callable[[Sequence[Training]], bool],
) -> Sequence[Training]:
    """The plan, or the part of it with the most seeds that is there, if that decides the claim.

    An ensemble's networks are all of a plan's seeds; such a plan is never cut short.
    """
    seeds = sorted({training.seed for training in plan if training.config is not None})
    if any(training.averaged for training in plan):
        return plan
    for last in reversed(seeds[LEAST - 1 :]):
        part = [training for training in plan if training.seed <= last]
        if is_there(part):
            return part if decided(part) else plan
    return plan
