"""The trainings that claims need: which there are, and how a missing one is made.

Each is trained and evaluated by the ordinary verbs, in processes of their own: memory does not grow
from one to the next, several can be at work at once, and each command can be given by hand as well.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alexnet_tf import cli
from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import Config
from alexnet_tf.errors import CheckpointError, ConfigError, JobError, RunError, UserError
from alexnet_tf.reproduction import claim_files
from alexnet_tf.reproduction.baseline import baseline_identity
from alexnet_tf.reproduction.children import Children
from alexnet_tf.reproduction.claim import Claim
from alexnet_tf.reproduction.claim_parts import ScaleName
from alexnet_tf.reproduction.finished_run import VIEWS, outcome_of
from alexnet_tf.reproduction.identity import average_identity, identity
from alexnet_tf.reproduction.outcome import Outcome, read
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.lock import locked
from alexnet_tf.runs.saved_checkpoints import SavedCheckpoints
from preprocessing.dataset.atomic import write_text
from preprocessing.dataset.info import DatasetInfo
from preprocessing.dataset.printable import counted


@dataclass(frozen=True)
class Training:
    """One arm of a claim with one seed. Equal (identity, seed) are one training.

    averaged: of an ensemble, its networks, which are trained before; `baseline`: no network at all,
    learned from a fraction of the pictures. views: in which claims ask for it, besides VIEWS.
    """

    claim: str
    arm: str
    identity: str
    seed: int
    config: Config | None = None  # resolved, but for the seed
    averaged: tuple[Training, ...] = ()
    baseline: str | None = None
    fraction: float = 1.0
    views: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[str, int]:
        return self.identity, self.seed

    @property
    def work(self) -> str:
        """What there is to do."""
        if self.averaged:
            return f"{len(self.averaged)} networks averaged"
        if self.baseline is not None:
            part = "" if self.fraction == 1 else f" of {self.fraction:g} of the pictures"
            return f"{self.baseline}{part}"
        return counted(self.config.training.epochs, "epoch")

    def directory(self, runs: Path) -> Path:
        return runs / self.identity / f"seed-{self.seed}"

    def has_run(self, runs: Path) -> bool:
        return (self.directory(runs) / "config.yaml").is_file()


def trainings(
    claim: Claim, scale: ScaleName, seeds: Sequence[int], info: DatasetInfo
) -> list[Training]:
    """All that a claim needs: every network with the first seed, then with the next one; then what
    is no training. ConfigError: an ensemble of one seed."""
    networks = {
        (arm, seed): _network(claim, scale, arm, seed, info)
        for seed in seeds
        for arm in claim.networks
    }
    rows = list(networks.values())
    for name, arm in claim.arms.items():
        if arm.ensemble is not None:
            if len(seeds) < 2:
                raise ConfigError(f"--seeds: expected at least 2 for {claim.name}, an ensemble")
            parts = tuple(networks[arm.ensemble, seed] for seed in seeds)
            same = average_identity(parts[0].identity, seeds)
            views = (claim.views_of(name),)
            rows.append(Training(claim.name, name, same, seeds[0], averaged=parts, views=views))
        elif arm.baseline is not None:
            same = baseline_identity(arm.baseline, info.fingerprint, arm.part)
            what = {"baseline": arm.baseline, "fraction": arm.part}
            rows.append(Training(claim.name, name, same, seeds[0], **what))
    return rows


def _network(claim: Claim, scale: ScaleName, arm: str, seed: int, info: DatasetInfo) -> Training:
    config = claim_files.configuration(claim, scale, arm).with_classes(len(info.classes))
    same, views = identity(config, info.fingerprint), (claim.views_of(arm),)
    return Training(claim.name, arm, same, seed, config, views=views)


def make(training: Training, data: str, runs: Path, children: Children) -> Outcome:
    """Trains, or goes on with what was begun; then evaluates.

    An ensemble needs its networks' run directories.

    Raises:
        Interrupted: a signal came; the training stopped with a checkpoint.
        JobError: it failed, and its own line was printed; it was stopped from elsewhere; or
            another process is at it, such as a second reproduction into the same directory.
        UserError: a mistake, of which a line was printed, would end every other training as well.
    """
    who = f"{training.claim}, {training.arm}, seed {training.seed}"
    path = training.directory(runs)
    told = {"who": who, "log": path.with_name(f"{path.name}.log")}
    if training.baseline is not None:
        written = path / "outcome.json"
        words = [training.baseline, training.fraction, data, training.seed, written]
        children.call("reproduction.finished_baseline", *map(str, words), **told)
        return read(written)
    view_counts = sorted({*VIEWS, *training.views})
    views = list(map(str, view_counts))
    if training.averaged:
        paths = [part.directory(runs) for part in training.averaged]
        gone = [part.directory(runs) for part in training.averaged if not part.has_run(runs)]
        if gone:
            raise JobError(f"{who}: expected all of its networks' runs, received none in {gone[0]}")
        networks = [word for path in paths for word in ("--run", str(path))]
        children.call("evaluate", *networks, "--data", data, "--views", *views, **told, quiet=True)
        path = paths[0]
    else:
        _expect_free(path, who)
        _set_damaged_aside(path)
        where = ["--run", str(path), "--data", data]
        config = _write_config(training, path.parent / "config.yaml")
        seed = f"training.seed={training.seed}"
        children.call("train", "--config", config, *where, seed, **told)
        children.call("evaluate", *where, "--views", *views, **told, quiet=True)
    try:
        outcome = outcome_of(path, [part.seed for part in training.averaged], view_counts)
    except RunError as error:
        raise JobError(f"{who}: {error}") from error
    if (outcome.identity, outcome.seed) != training.key:
        raise UserError(
            f"expected {path} to be a run of {training.identity}, seed {training.seed}, received"
            f" one of {outcome.identity}, seed {outcome.seed}; move it away"
        )
    return outcome


def _expect_free(path: Path, who: str) -> None:
    try:
        with locked(path):
            pass
    except RunError as error:
        if isinstance(error.__cause__, BlockingIOError):
            raise JobError(f"{who}: {error}") from error
        raise


def _write_config(training: Training, path: Path) -> str:
    """The configuration of all seeds, as it is now: files that are changed meanwhile, while other
    trainings are at work, do not change it."""
    with cli.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, config_files.to_yaml(training.config))
    return str(path)


def _set_damaged_aside(path: Path) -> None:
    """Renames a run directory from which no training can go on; what is in it stays there."""
    try:
        if not (path / "config.yaml").exists():
            return
        run = run_directory.load(path)
        SavedCheckpoints(run.checkpoints).newest_state()
    except (UserError, CheckpointError) as error:
        reason = str(error)
    else:
        return
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    path.rename(aside)
    print(f"{reason}\n  it is made again; what is left of the old run is in {aside}", flush=True)
