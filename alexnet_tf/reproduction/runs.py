"""The trainings that claims need: which there are, and how a missing one is made.

Each is trained and evaluated by the ordinary verbs, in processes of their own: memory does not grow
from one to the next, and each command can be given by hand as well.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from alexnet_tf.errors import JobError, RunError, UserError
from alexnet_tf.reproduction import claim_files
from alexnet_tf.reproduction.claim import Claim, ScaleName
from alexnet_tf.reproduction.finished_run import VIEWS, newest_undamaged, outcome_of
from alexnet_tf.reproduction.identity import identity
from alexnet_tf.reproduction.outcome import Outcome
from alexnet_tf.runs import directory as run_directory
from preprocessing.dataset.info import DatasetInfo

MISTAKE = 2  # a verb's exit code


class Interrupted(Exception):
    """A signal asked to stop; `number` is the signal."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


@dataclass(frozen=True)
class Training:
    """One arm of a claim with one seed. Equal (identity, seed) are one training."""

    claim: str
    arm: str
    identity: str
    seed: int
    epochs: int
    config: str  # the file
    overrides: tuple[str, ...]

    @property
    def key(self) -> tuple[str, int]:
        return self.identity, self.seed

    def directory(self, runs: Path) -> Path:
        return runs / self.identity / f"seed-{self.seed}"


def trainings(
    claim: Claim, scale: ScaleName, seeds: Iterable[int], info: DatasetInfo
) -> list[Training]:
    """All that a claim needs: every arm with the first seed, then with the next one."""
    identities = {
        arm: identity(
            claim_files.configuration(claim, scale, arm).with_classes(len(info.classes)),
            info.fingerprint,
        )
        for arm in claim.arms
    }
    rows = []
    for seed in seeds:
        for arm in claim.arms:
            config, overrides = claim_files.arguments(claim, scale, arm)
            epochs = claim_files.configuration(claim, scale, arm).training.epochs
            seeded = (*overrides, f"training.seed={seed}")
            rows.append(Training(claim.name, arm, identities[arm], seed, epochs, config, seeded))
    return rows


def make(training: Training, data: str, runs: Path) -> Outcome:
    """Trains, or goes on with what was begun; then evaluates.

    Raises:
        Interrupted: a signal came; the training stopped with a checkpoint.
        JobError: it failed, and its own line was printed; or it was stopped from elsewhere.
        UserError: a mistake, of which a line was printed, would end every other training as well.
    """
    path = training.directory(runs)
    _set_damaged_aside(path)
    where = ["--run", str(path), "--data", data]
    who = f"{training.claim}, {training.arm}, seed {training.seed}"
    _call(["train", "--config", training.config, *where, *training.overrides], who)
    views = [str(views) for views in VIEWS]
    _call(["evaluate", *where, "--views", *views], who, output=subprocess.DEVNULL)
    try:
        outcome = outcome_of(path)
    except RunError as error:
        raise JobError(f"{who}: {error}") from error
    if (outcome.identity, outcome.seed) != training.key:
        raise UserError(
            f"expected {path} to be a run of {training.identity}, seed {training.seed}, received"
            f" one of {outcome.identity}, seed {outcome.seed}; move it away"
        )
    return outcome


def _set_damaged_aside(path: Path) -> None:
    """Renames a run directory from which no training can go on; what is in it stays there."""
    try:
        if not (path / "config.yaml").exists():
            return
        run = run_directory.load(path)
        newest_undamaged(run.checkpoints)
    except UserError as error:
        reason = str(error)
    else:
        return
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    path.rename(aside)
    print(f"{reason}\n  it is made again; what is left of the old run is in {aside}", flush=True)


def _call(verb: Sequence[str], who: str, output: int | None = None) -> None:
    """Runs a verb to its end, through signals: they are handed on, and waited for.

    It is in a process group of its own, so that a terminal's Ctrl-C does not reach it twice.
    """
    received: list[int] = []
    started: list[subprocess.Popen] = []

    def hand_on(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for process in started:
            process.send_signal(number)

    before = {n: signal.signal(n, hand_on) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        command = [sys.executable, "-m", f"alexnet_tf.{verb[0]}", *verb[1:]]
        process = subprocess.Popen(command, stdout=output, process_group=0)
        started.append(process)
        for number in received[:1]:  # it came while the process was made
            process.send_signal(number)
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        raise Interrupted(received[0])
    if code == 128 + signal.SIGINT:  # it alone was interrupted
        raise Interrupted(signal.SIGINT)
    if code == MISTAKE:
        raise UserError(f"{who}: {verb[0]} refused (its line is above)")
    if code:
        raise JobError(f"{who}: {verb[0]} failed with exit code {code} (its line is above)")
