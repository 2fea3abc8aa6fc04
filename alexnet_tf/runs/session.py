"""A training from its newest checkpoint to its last epoch, or to a signal: the verb `train`."""

from __future__ import annotations

import contextlib
import enum
import os
from collections.abc import Callable

from alexnet_tf.config.schema import Config
from alexnet_tf.evaluation.metrics import Result
from alexnet_tf.monitoring.diagnostics import PeriodicDiagnostics
from alexnet_tf.monitoring.images import TrainingImages
from alexnet_tf.monitoring.profile import ProfiledStep
from alexnet_tf.monitoring.progress import ProgressReport
from alexnet_tf.monitoring.tensorboard import EventFiles, announce_run
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs.failures import told
from alexnet_tf.runs.lock import RunLock, locked
from alexnet_tf.runs.setup import Setup
from alexnet_tf.training import strategy as strategies
from alexnet_tf.training.loop import Loop, Progress, Stopped, Window
from alexnet_tf.training.optimizers.optimizer import averaged, check
from preprocessing.dataset.printable import counted


class Ending(enum.Enum):
    """How a training ended; all that was stopped can go on."""

    FINISHED = "finished"
    STOPPED = "stopped by SIGTERM, here or on another worker"
    INTERRUPTED = "stopped by Ctrl-C"

    @property
    def exit_code(self) -> int:
        """That of a program that Ctrl-C ended, or 0."""
        return 128 + 2 if self is Ending.INTERRUPTED else 0


def train(config: Config, data: str | os.PathLike, path: str | os.PathLike) -> Ending:
    """Trains in the run directory `path`, or goes on with what was begun there.

    Raises the UserErrors of a mistake in configuration, dataset or run directory, and JobError
    where the training failed.
    """
    check(config.optimizer)  # before there is a run directory of that configuration
    cluster = strategies.cluster(config.strategy)
    if not cluster.is_chief:  # only the chief writes
        return _train(run_directory.follow(path, config, data), data, cluster)
    run_directory.expect_place(path)
    with locked(path) as lock:
        return _train(run_directory.begin(path, config, data), data, cluster, lock)


def _train(
    run: run_directory.Run,
    data: str | os.PathLike,
    cluster: strategies.Cluster,
    lock: RunLock | None = None,
) -> Ending:
    setup = Setup(run, data, cluster)
    with told(setup), contextlib.closing(setup):
        session = Session(setup, lock)
        ending = session.train()
    if setup.is_chief:
        how = "finished" if ending is Ending.FINISHED else "stopped; the same command goes on"
        print(f"{how}; its curves: tensorboard --logdir {run.path}")
    return ending


class Session:
    """The hooks of one run's loop (`training.loop.Hooks`): reports, validation and checkpoints.

    Args: lock, of the run directory; None on a worker that writes nothing.
    """

    def __init__(self, setup: Setup, lock: RunLock | None):
        self.setup, self.lock = setup, lock
        self.run, self.config = setup.run, setup.config
        self.steps = setup.steps
        self.step = setup.step()
        self.loop = Loop(self.config, self.step, setup.batches, self.steps, self)
        self.diagnostics: PeriodicDiagnostics | None = None
        # What the chief alone has.
        self.report: ProgressReport | None = None
        self.images: TrainingImages | None = None

    def train(self) -> Ending:
        progress = self.setup.restore()
        # On every worker: variables made under the strategy (Keras 2 makes some for any model)
        # are broadcast, and one worker alone would wait for ever, or take another's for them.
        self.diagnostics = PeriodicDiagnostics.of_run(
            self.run,
            self.setup.strategy,
            self.setup.network,
            self.setup.optimizer,
            self.setup.data.at_first,
            self._total(progress),
        )
        with contextlib.ExitStack() as closing:
            if self.setup.is_chief:
                self._open_reports(progress, closing)
                self._announce(progress)
            if self.report is not None:
                self.report.begin(self._total(progress))
            if self.loop.run(progress):
                return Ending.FINISHED
        return Ending.INTERRUPTED if self.loop.interrupted else Ending.STOPPED

    def window(self, progress: Progress, window: Window) -> None:
        if self.report is None:
            return
        self.report.window(progress, window, self.step.take_waiting())
        values, warning = self.diagnostics.after(progress.epoch, window.step, window.result.loss)
        self.report.diagnosis(progress, window.step, values, warning)

    def epoch(
        self, progress: Progress, train: Result, stopping: Callable[[], bool]
    ) -> float | None:
        with averaged(self.setup.optimizer):
            validation, measured = self.setup.validation(progress.epoch), None
            if validation is not None:
                measured = validation.run(stopping)
                if measured is None:
                    raise Stopped
            self.setup.check_data()
            held_out = self.setup.data.holds_out(progress.epoch)
            if self.report is not None:
                self.report.epoch(progress, train, measured, held_out)
            if self.images is not None:
                step = self.steps.before(progress.epoch + 1)
                # Not `stopping`, which all workers would have to ask.
                self.images.epoch(progress.epoch, step, self.loop.stop.is_set)
        following = progress.epoch + 1
        grown = held_out and not self.setup.data.holds_out(following)
        if self.report is not None and grown and following < self.config.training.epochs:
            self.report.more_images(following, self._images(following))
        return measured.top1_error if measured else None

    def save(self, progress: Progress, error: float | None = None) -> None:
        if self.lock is not None:
            self.lock.check()
        if self.setup.data.measure_changes_after(progress.epoch - 1):
            error = None  # not to be compared with those to come
        self.setup.save(self._total(progress), progress, error)

    def any_worker(self, condition: bool) -> bool:
        return self.setup.workers.any(condition)

    def _open_reports(self, progress: Progress, closing: contextlib.ExitStack) -> None:
        events = closing.enter_context(EventFiles(self.run.path))
        self.report = closing.enter_context(
            ProgressReport(self.run.path, events, self.steps, self.config)
        )
        self.images = TrainingImages(self.run, self.setup.network, events, self.setup.data)
        if not (progress.epoch or progress.step):
            announce_run(events, self.config, self.setup.model)
        if self.config.monitoring.profile_steps:
            self.step = self.loop.step = ProfiledStep(
                self.step, events.directory / "train", self.config.monitoring.profile_steps
            )

    def _announce(self, progress: Progress) -> None:
        if progress.epoch >= self.config.training.epochs:
            done = counted(self.config.training.epochs, "epoch")
            print(f"nothing is left to do of {done}; for more: training.epochs=N", flush=True)
            return
        verb = "going on" if progress.epoch or progress.step else "beginning"
        print(
            f"{verb} at epoch {progress.epoch + 1}, step {progress.step} of"
            f" {self.steps.of(progress.epoch)}: {self.config.network.variant},"
            f" {self.setup.model.count_params():,} parameters\n"
            f"    {self._images(progress.epoch)} of {len(self.run.info.classes):,} classes;"
            f" {counted(self.setup.strategy.num_replicas_in_sync, 'replica')}"
            f" on {counted(self.setup.share.workers, 'worker')} ({self.setup.device_kind})",
            flush=True,
        )

    def _total(self, progress: Progress) -> int:
        """Steps of the whole run so far."""
        return self.steps.before(progress.epoch) + progress.step

    def _images(self, epoch: int) -> str:
        """How many an epoch trains on."""
        total = self.run.info.num_examples("train")
        count = sum(self.setup.data.trained_on(epoch).counts)
        return f"{f'{count:,} of ' if count < total else ''}{total:,} images"
