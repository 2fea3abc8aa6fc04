"""Outcomes of older versions, made whole from their run directories where those are still there."""

from __future__ import annotations

from pathlib import Path

from alexnet_tf import cli
from alexnet_tf.errors import JobError, UserError
from alexnet_tf.reproduction.finished_run import outcome_of
from alexnet_tf.reproduction.outcome import Outcome, Outcomes
from preprocessing.dataset.printable import counted

ADDED = ("images_seen", "first_layer")


def complete(outcomes: Outcomes, runs: Path) -> None:
    """Adds to each outcome what it does not say and its run does; all else stays as it is.

    A run that is not there, or is another training by now, adds nothing. Says how many outcomes
    were made whole, and which runs could not be read.
    """
    lacking = [
        outcome
        for network in outcomes.networks()
        for outcome in network
        if None in [getattr(outcome, name) for name in ADDED] and not outcome.baseline
    ]
    done = 0
    for outcome in lacking:
        path = runs / outcome.identity / f"seed-{outcome.seed}"
        if not (path / "config.yaml").is_file():
            continue
        try:
            again = outcome_of(path)
        except (UserError, JobError) as error:
            print(f"the outcome of {path} stays as it is: {error}", flush=True)
            continue
        if _same_training(again, outcome):
            with cli.writing(outcomes.directory):
                outcomes.keep(
                    outcome.model_copy(update={name: getattr(again, name) for name in ADDED})
                )
            done += 1
    if done:
        print(f"{counted(done, 'outcome')} of older versions made whole from the runs", flush=True)


def _same_training(one: Outcome, other: Outcome) -> bool:
    """Not only alike: its errors, epoch by epoch, are the same numbers."""
    return all(
        getattr(one, name) == getattr(other, name) for name in ("identity", "seed", "course")
    )
