"""A run's directory: all that resuming, evaluating and exporting need, in one place.

config.yaml (resolved), dataset/ (dataset_info.json and the mean image of the data it was trained
on), checkpoints/, tensorboard/, evaluation/, log.jsonl, and a lock while a training is at work.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alexnet_tf.config import files as config_files
from alexnet_tf.config.schedules import Curve
from alexnet_tf.config.schema import Config, Cosine
from alexnet_tf.errors import MISTAKEN, JobError, RunError
from alexnet_tf.runs.lock import LOCK
from alexnet_tf.runs.saved_checkpoints import SavedCheckpoints
from preprocessing.dataset.atomic import write_text
from preprocessing.dataset.info import DatasetInfo, read_info
from preprocessing.dataset.mean_image import read_mean_image
from preprocessing.dataset.names import INFO_FILE, MEAN_FILE

# What may change between one training of a run and the next.
FREE = (
    "strategy.",
    "monitoring.",
    "data.cache",
    "training.keep_checkpoints",
    "training.log_every_steps",
    "training.checkpoint_every_steps",
    "training.diagnostics_every_steps",
    "training.flat_loss_steps",
)


@dataclass(frozen=True)
class Run:
    """An opened run directory."""

    path: Path
    config: Config
    info: DatasetInfo
    mean_image: np.ndarray  # float32 [N, N, 3]

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def training_images(self) -> int:
        """Those of the dataset's that are trained on, be it only after `data.held_out` ends."""
        total = round(self.config.data.fraction * self.info.num_examples("train"))
        held_out = self.config.data.held_out
        if held_out is None:
            return total
        ends = held_out.until_epoch
        always = ends is None or ends >= self.config.training.epochs
        return held_out.left(total) if always else total


def load(path: str | os.PathLike) -> Run:
    """Opens an existing run. RunError if it is none, ConfigError or DatasetError if damaged."""
    path = Path(path)
    if not os.path.isfile(path / "config.yaml"):
        raise RunError(f"expected a run directory with config.yaml, received {path}")
    config = config_files.load(path / "config.yaml")
    info = read_info(path / "dataset")
    return Run(path, config, info, read_mean_image(path / "dataset"))


def expect_place(path: str | os.PathLike) -> None:
    """Raises RunError where something else than a run lies: before a lock is left in it.

    JobError where the disk would not.
    """
    path = Path(path)
    with _told(path):
        if not _is_new(path) and not (path / "config.yaml").exists():
            raise RunError(f"expected a new or empty run directory, received {path}, which is not")


def begin(path: str | os.PathLike, config: Config, data: str | os.PathLike) -> Run:
    """Opens a run for training: a new one, or an old one of the same configuration and dataset.

    Raises RunError naming what differs, or if the directory holds something else or cannot be one,
    JobError where the disk would not.
    """
    path, info = Path(path), read_info(data)
    config = config.with_classes(len(info.classes))
    with _told(path):
        if _is_new(path):
            read_mean_image(data)  # before it is copied: the line names the dataset's own
            _create(path, config, data)
            return load(path)
    expect_place(path)
    run = load(path)
    changed = [d for d in config_files.differences(run.config, config) if not _free(d, config)]
    if changed:
        raise RunError(
            f"expected the configuration that {path} began with, received another:"
            f" {'; '.join(changed)}. Choose another --run, or the old settings"
        )
    _check_held_out(run, config)
    if run.info.fingerprint != info.fingerprint:
        raise RunError(
            f"expected the dataset that {path} began with (fingerprint"
            f" {run.info.fingerprint[:12]}), received {data} ({info.fingerprint[:12]})"
        )
    with _told(path):
        write_text(path / "config.yaml", config_files.to_yaml(config))
    return Run(path, config, run.info, run.mean_image)


def follow(path: str | os.PathLike, config: Config, data: str | os.PathLike) -> Run:
    """The same run for a worker that writes nothing: `path` need not exist where it runs."""
    info = read_info(data)
    config = config.with_classes(len(info.classes))
    return Run(Path(path), config, info, read_mean_image(data))


def _is_new(path: Path) -> bool:
    """Also if a process was killed there, or found a mistake, before it took the first step."""
    copies = {INFO_FILE, MEAN_FILE}
    return not path.exists() or all(
        entry.name in (LOCK, "config.yaml")
        or entry.name.startswith(".config.yaml.")
        or (
            entry.name == "dataset"
            and entry.is_dir()
            and {file.name for file in entry.iterdir()} <= copies
        )
        for entry in path.iterdir()
    )


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Within it, an OSError is told in one line: RunError for a mistaken path, else JobError."""
    try:
        yield
    except OSError as error:
        name = error.filename2 or error.filename  # the copy, not what was to be copied
        where = f" ({name})" if name and Path(name) != path else ""
        line = f"cannot use {path} as a run directory: {error.strerror or error}{where}"
        raise (RunError if error.errno in MISTAKEN else JobError)(line) from error


def _create(path: Path, config: Config, data: str | os.PathLike) -> None:
    copies = path / "dataset"
    copies.mkdir(parents=True, exist_ok=True)
    for name in (MEAN_FILE, INFO_FILE):
        shutil.copyfile(Path(data) / name, copies / name)
    write_text(path / "config.yaml", config_files.to_yaml(config))  # last: now it is a run


def _check_held_out(run: Run, config: Config) -> None:
    """Raises RunError where an epoch that has begun would have trained on other images."""
    old, new = run.config.data.held_out, config.data.held_out
    if old == new:
        return
    state = SavedCheckpoints(run.checkpoints, locked=True).newest_state() or {"epoch": 0, "step": 0}
    begun = state["epoch"] + (state["step"] > 0)
    if begun and old.until_epoch is None:  # its best checkpoint is that on what is held out
        raise RunError(
            f"data.held_out.until_epoch: expected null, as {run.path} began with, received"
            f" {new.until_epoch}; to choose the epoch later, begin with one that is far ahead"
        )
    if min(held_out.until_epoch or begun for held_out in (old, new)) < begun:
        raise RunError(
            f"data.held_out.until_epoch: expected no change for the {begun} epochs of {run.path}"
            f" that have begun, received {new.until_epoch} in place of {old.until_epoch}"
        )


def _free(difference: str, config: Config) -> bool:
    # More epochs only lengthen the last step, unless the schedule is stretched over the whole run.
    stretched = isinstance(config.schedule, Curve | Cosine)
    free = (*FREE, "data.held_out.until_epoch")  # which `_check_held_out` looks at
    free = free if stretched else (*free, "training.epochs")
    return difference.startswith(free)
