"""Trainings from which the spread of a claim's seeds is known better than from its own arms alone.

Two seeds tell little of how much trainings differ. Networks of one variant, trained for as many
epochs on the same pictures, are taken to spread alike; there are many, since claims try one part
each. An arm of one seed may have further seeds, of another claim or day. Where none of these is
there, any network on the same pictures is better than nothing, which is said then. Which they are
is told by the outcomes themselves, not chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alexnet_tf.reproduction.claim import Claim
from alexnet_tf.reproduction.claim_parts import EPOCHS
from alexnet_tf.reproduction.identity import average_identity
from alexnet_tf.reproduction.outcome import Outcome


def of(
    claim: Claim,
    outcomes: Mapping[str, Sequence[Outcome]],
    others: Sequence[Sequence[Outcome]],
) -> list[Sequence[Outcome]]:
    """Those of `others`, a network each, of 2 seeds or more, whose seeds spread as the arms' do.

    They are networks like the compared arms, and arms of one seed with all the seeds that there
    are; without any, and without a second seed of an arm, whatever was trained on the same
    pictures. None where epochs are counted or networks averaged: there the spread is the arms'
    own.
    """
    rows = [outcomes[arm] for arm in claim.compared]
    if claim.measure.name == EPOCHS or (len(rows) == 2 and _is_average(*rows)):
        return []
    views = {claim.views_of(arm) for arm in claim.compared}
    there = [
        row
        for row in others
        if len(row) > 1
        and _is_network(row)
        and all(views <= outcome.views.keys() for outcome in row)
    ]
    single = {row[0].identity for row in rows if len(row) == 1}
    found = [row for row in there if row[0].identity in single] + trained_alike(rows, there)
    if found or any(len(row) > 1 for row in rows):
        return found
    data = {_data(row) for row in rows}
    return [row for row in there if _data(row) in data]


def are_alike(rows: Sequence[Sequence[Outcome]], kin: Sequence[Sequence[Outcome]]) -> bool:
    """Whether kin of these arms are networks like them, or nothing but trained on their data."""
    return {_likeness(row) for row in kin} <= {_likeness(row) for row in rows}


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
    """Whether two arms are the same trainings: in other views, or one the average of the other."""
    return _is_average(first, second) or [(row.identity, row.seed) for row in first] == [
        (row.identity, row.seed) for row in second
    ]


def _is_average(first: Sequence[Outcome], second: Sequence[Outcome]) -> bool:
    """Whether one of them is the average of the other's networks."""
    return any(
        average[0].averaged == tuple(row.seed for row in networks)
        and average[0].identity == average_identity(networks[0].identity, average[0].averaged)
        for average, networks in ((first, second), (second, first))
    )


def _is_network(row: Sequence[Outcome]) -> bool:
    return not (row[0].averaged or row[0].baseline)


def _likeness(row: Sequence[Outcome]) -> tuple:
    first = row[0]
    if not _is_network(row):
        return (first.identity,)
    return *_data(row), first.config["network"]["variant"], len(first.course.training_error)


def _data(row: Sequence[Outcome]) -> tuple:
    first = row[0]
    fraction = 1 if first.baseline else first.config["data"].get("fraction", 1)
    return first.dataset, fraction
