"""From the outcomes of a claim's arms to its result: the effect with its interval, the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from alexnet_tf.reproduction import estimate, kin, measures, specialization, statistics
from alexnet_tf.reproduction.claim import Claim
from alexnet_tf.reproduction.claim_parts import ERRORS, ScaleName
from alexnet_tf.reproduction.comparison import EveryRun, Figure, Lower, Ratio, Trend
from alexnet_tf.reproduction.effect import effect_of
from alexnet_tf.reproduction.estimate import Estimate, Verdict
from alexnet_tf.reproduction.outcome import Outcome
from alexnet_tf.reproduction.result import ArmResult, Result, finite
from alexnet_tf.reproduction.specialization import TowersOfRun
from alexnet_tf.reproduction.statistics import Discordance
from preprocessing.dataset.printable import counted


def conclude(
    claim: Claim,
    scale: ScaleName,
    data: str,
    outcomes: Mapping[str, Sequence[Outcome]],
    others: Sequence[Sequence[Outcome]] = (),
    planned: int | None = None,
) -> Result:
    """The result of a claim whose arms have these outcomes, by seed.

    others: outcomes of further networks; the spread of seeds is also that of those trained alike.
    planned: how many seeds were to be had, if fewer decided.
    """
    related = kin.of(claim, outcomes, others)
    decides = _allows_for_seeds(claim, outcomes, related)
    runs = _runs(claim, outcomes, others)
    effect = effect_of(claim, outcomes, related, runs)
    every = {(o.identity, o.seed): o for rows in outcomes.values() for o in rows}.values()
    return Result(
        claim=claim.name,
        scale=scale,
        statement=claim.statement,
        source=claim.source,
        note=claim.note,
        published=claim.published,
        measure=claim.measure,
        compared=claim.compared,
        kind=claim.comparison.kind,
        arms={arm: _arm(claim, arm, rows) for arm, rows in outcomes.items()},
        effect=effect.value,
        low=finite(effect.low),
        high=finite(effect.high),
        within=claim.comparison.within if isinstance(claim.comparison, Figure) else None,
        at_least=claim.comparison.at_least if isinstance(claim.comparison, Ratio) else None,
        trend=claim.comparison if isinstance(claim.comparison, Trend) else None,
        every_run=claim.comparison if isinstance(claim.comparison, EveryRun) else None,
        runs=runs,
        covered=counted(len(runs), "run") if runs else _covered(claim, outcomes, related),
        verdict=verdict(claim, scale, effect) if decides else "inconclusive",
        discordances=_discordances(claim, outcomes),
        dataset=next(iter(every)).dataset,
        data=data,
        pictures=next(iter(every)).pictures,
        machine_hours=_hours([o.machine_seconds for o in every]),
        processor_hours=_hours([o.processor_seconds for o in every]),
        processors=tuple(sorted({o.made["processor"] for o in every})),
        planned=planned,
    )


def _runs(
    claim: Claim,
    outcomes: Mapping[str, Sequence[Outcome]],
    others: Sequence[Sequence[Outcome]],
) -> tuple[TowersOfRun, ...]:
    """The arm's first, then those of networks that were trained alike."""
    if not isinstance(claim.comparison, EveryRun):
        return ()
    arm = outcomes[claim.comparison.arm]
    return specialization.runs_of([arm, *kin.trained_alike([arm], others)])


def _discordances(
    claim: Claim, outcomes: Mapping[str, Sequence[Outcome]]
) -> tuple[Discordance, ...]:
    if not isinstance(claim.comparison, Lower) or claim.measure.name not in ERRORS:
        return ()
    pairs = zip(
        *(measures.wrong(claim.measure, claim.views_of(a), outcomes[a]) for a in claim.compared),
        strict=False,  # a baseline has one seed
    )
    return tuple(statistics.mcnemar(*pair) for pair in pairs)


def verdict(claim: Claim, scale: ScaleName, effect: Estimate) -> Verdict:
    """What an effect with this interval, in fractions or as a ratio, makes of the claim."""
    found = estimate.verdict(effect.low, effect.high, _claimed(claim))
    # A shortened training can reach a published figure, not refute it; nor do runs refute that
    # kernels are divided, of which chance does as much: they are few.
    weak = isinstance(claim.comparison, EveryRun) or (
        isinstance(claim.comparison, Figure) and scale != "full"
    )
    return "inconclusive" if weak and found == "contradicted" else found


def _claimed(claim: Claim) -> tuple[float, float]:
    """The open interval in which the effect is, if the claim holds."""
    kind = claim.comparison
    if isinstance(kind, Lower | Trend):
        return -math.inf, 0.0
    if isinstance(kind, Figure):
        return -math.inf, kind.within
    return kind.at_least, math.inf


def _covered(
    claim: Claim, outcomes: Mapping[str, Sequence[Outcome]], related: Sequence[Sequence[Outcome]]
) -> str:
    if claim.measure.name not in ERRORS:
        return "seeds"
    rows = [outcomes[arm] for arm in claim.compared]
    alike = kin.are_alike(rows, related)
    return statistics.covered(*map(len, rows), kin=[len(row) for row in related], alike=alike)


def _allows_for_seeds(
    claim: Claim, outcomes: Mapping[str, Sequence[Outcome]], related: Sequence[Sequence[Outcome]]
) -> bool:
    """Whether the interval does; one of another kind than of pictures is open if it cannot."""
    rows = [outcomes[arm] for arm in claim.compared]
    return claim.measure.name not in ERRORS or bool(related) or any(len(row) > 1 for row in rows)


def _arm(claim: Claim, arm: str, outcomes: Sequence[Outcome]) -> ArmResult:
    numbers = measures.by_seed(claim.measure, claim.views_of(arm), outcomes)
    return ArmResult(
        identity=outcomes[0].identity,
        seeds=tuple(outcome.seed for outcome in outcomes),
        by_seed=tuple(finite(number) for number in numbers),
        epochs=len(outcomes[0].course.training_error),
        training_error=tuple(outcome.course.training_error for outcome in outcomes),
        validation_error=tuple(outcome.course.validation_error for outcome in outcomes),
    )


def _hours(seconds: Sequence[float | None]) -> float | None:
    return None if None in seconds else sum(seconds) / 3600
