"""Trainings from which the spread of a claim's seeds is known better than from its own arms alone.

Two seeds tell little of how much trainings differ. Networks of one variant, trained for as many
epochs on the same pictures, are taken to spread alike; there are many, since claims try one part
each. Which they are is told by the outcomes themselves, not chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alexnet_tf.reproduction.claim import Claim
from alexnet_tf.reproduction.claim_parts import EPOCHS
from alexnet_tf.reproduction.outcome import Outcome


def of(
    claim: Claim,
    outcomes: Mapping[str, Sequence[Outcome]],
    others: Sequence[Sequence[Outcome]],
) -> list[Sequence[Outcome]]:
    """Those of `others`, a network each, of 2 seeds or more, that are like the compared arms.

    None where the arms are the same trainings, seen otherwise, or where epochs are counted: there
    the spread is the arms' own.
    """
    rows = [outcomes[arm] for arm in claim.compared]
    if claim.measure.name == EPOCHS or (len(rows) == 2 and same_runs(*rows)):
        return []
    views = {claim.views_of(arm) for arm in claim.compared}
    return [
        row
        for row in trained_alike(rows, others)
        if len(row) > 1 and all(views <= outcome.views.keys() for outcome in row)
    ]


def trained_alike(
    rows: Sequence[Sequence[Outcome]], others: Sequence[Sequence[Outcome]]
) -> list[Sequence[Outcome]]:
    """Those of `others` that are none of the arms `rows`, but networks like these.

    None where the arms are unlike one another, or no networks.
    """
    alike = {_likeness(row) for row in rows if _is_network(row)}
    own = {row[0].identity for row in rows}
    if len(alike) != 1:
        return []
    return [
        row
        for row in others
        if _is_network(row) and row[0].identity not in own and _likeness(row) in alike
    ]


def same_runs(first: Sequence[Outcome], second: Sequence[Outcome]) -> bool:
    """Whether two arms are the same trainings, in other views for instance."""
    return [row.identity for row in first] == [row.identity for row in second]


def _is_network(row: Sequence[Outcome]) -> bool:
    return not (row[0].averaged or row[0].baseline)


def _likeness(row: Sequence[Outcome]) -> tuple:
    first = row[0]
    variant, pictures = first.config["network"]["variant"], first.config["data"].get("fraction", 1)
    return first.dataset, variant, pictures, len(first.course.training_error)
