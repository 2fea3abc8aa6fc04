"""The loop over epochs and steps: rates in, sums out, checkpoints on the way, exact resume."""

from __future__ import annotations

import dataclasses
import itertools
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import tensorflow as tf

from alexnet_tf.config.schema import Config
from alexnet_tf.evaluation.metrics import COLUMNS, Result
from alexnet_tf.training.epoch_steps import EpochSteps
from alexnet_tf.training.schedule import PlateauState, Schedule
from alexnet_tf.training.step import Batch, StepInputs, TrainingStep
from alexnet_tf.training.stop_on_signal import StopOnSignal


class NonFinite(Exception):
    """The loss, or a weight, is no longer a number; `step` is where (from 0, over the run)."""

    def __init__(self, what: str, step: int):
        super().__init__(f"{what} is not finite at step {step}")
        self.step = step


class Stopped(Exception):
    """A hook ended early because the run is to stop."""


@dataclass
class Progress:
    """Where a run stands; with the variables, all that a checkpoint holds.

    `step` counts within the epoch; `sums` are the columns of metrics over the epoch so far.
    """

    epoch: int = 0
    step: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * len(COLUMNS))
    plateau: PlateauState = field(default_factory=PlateauState)

    def to_json(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, state: dict) -> Progress:
        return cls(**{**state, "plateau": PlateauState(**state["plateau"])})


@dataclass(frozen=True)
class Window:
    """What happened over some steps in a row: reported every `log_every_steps`."""

    step: int  # over the whole run, after the window
    result: Result
    images_per_second: float


class Hooks(Protocol):
    """What the loop calls, on every worker at the same moments."""

    def window(self, progress: Progress, window: Window) -> None:
        """Some steps are done."""

    def epoch(
        self, progress: Progress, train: Result, stopping: Callable[[], bool]
    ) -> float | None:
        """An epoch's steps are done; the validation top-1 error, or None without validation.

        Raises Stopped where `stopping`, to be asked now and then, says that the run is to end.
        """

    def save(self, progress: Progress, error: float | None = None) -> None:
        """A checkpoint is due; `error` is the validation's top-1 error of its weights, if known."""

    def any_worker(self, condition: bool) -> bool:
        """Whether the condition holds on any worker."""


class Loop:
    """Runs epochs from a given progress to the configured end, or to a signal."""

    def __init__(
        self,
        config: Config,
        step: TrainingStep,
        batches: Callable[[tuple[int, int]], Iterable[Batch]],
        steps: EpochSteps,
        hooks: Hooks,
    ):
        self.config, self.step, self.batches = config, step, batches
        self.steps, self.hooks = steps, hooks
        self.schedule = Schedule(config)
        self.stop = threading.Event()
        self.interrupted = False  # by this process's own Ctrl-C

    def run(self, progress: Progress) -> bool:
        """True if the run came to its end, False if a signal stopped it; saved in both cases."""
        self.schedule.plateau = progress.plateau
        with StopOnSignal(self.stop) as signals:
            iterator = iter(self.batches((progress.epoch, progress.step)))
            while progress.epoch < self.config.training.epochs:
                try:
                    self._epoch(iterator, progress)
                    self._end_of_epoch(progress)
                except Stopped:
                    self.hooks.save(progress)
                    self.interrupted = signals.received == signal.SIGINT
                    return False
        return True

    def stopping(self) -> bool:
        """Whether a signal came, to any worker. Every worker asks at the same moments."""
        return self.hooks.any_worker(self.stop.is_set())

    def _epoch(self, iterator: Iterator[Batch], progress: Progress) -> None:
        """The rest of an epoch's steps."""
        pending, waiting, since = [], 0, time.perf_counter()
        while progress.step < self.steps.of(progress.epoch):
            group = self._group(progress, waiting)
            pending.append(self.step(iterator, group))
            progress.step += len(group)
            waiting += len(group)
            stopping = self.stopping()
            done = progress.step == self.steps.of(progress.epoch)
            save = self.config.training.checkpoint_every_steps
            due = save and self._total(progress) % save == 0
            if done or due or stopping or waiting == self.config.training.log_every_steps:
                self._flush(progress, pending, since)
                pending, waiting, since = [], 0, time.perf_counter()
            if stopping:
                raise Stopped
            if due and not done:
                self.hooks.save(progress)

    def _group(self, progress: Progress, waiting: int) -> list[StepInputs]:
        """The steps of the next execution: up to the next moment at which the loop has to act."""
        training = self.config.training
        count = min(
            training.steps_per_execution,
            self.steps.of(progress.epoch) - progress.step,
            training.log_every_steps - waiting,
        )
        if save := training.checkpoint_every_steps:
            count = min(count, save - self._total(progress) % save)
        group = [self._step_inputs(progress, number) for number in range(count)]
        return list(itertools.takewhile(lambda step: step.unfrozen == group[0].unfrozen, group))

    def _step_inputs(self, progress: Progress, ahead: int) -> StepInputs:
        """Of the step that comes after `ahead` others."""
        fraction = (progress.step + ahead) / self.steps.of(progress.epoch)
        rates = (
            self.schedule.rate(weight.layer, weight.kind, progress.epoch, fraction)
            for weight in self.step.optimizer.weights
        )
        noise = self.schedule.noise_coefficient(progress.epoch)
        seed = (self.config.training.seed, self._total(progress) + ahead)
        return StepInputs(tuple(rates), noise, seed)

    def _flush(self, progress: Progress, pending: list[tf.Tensor], since: float) -> None:
        """Waits for the pending steps, adds their sums up and reports them."""
        rows = [[float(value) for value in row] for sums in pending for row in sums.numpy()]
        for number, row in enumerate(rows):
            if not math.isfinite(row[0]):
                raise NonFinite("the loss", self._total(progress) - len(rows) + number)
        sums = [sum(column) for column in zip(*rows, strict=True)]
        progress.sums = [a + b for a, b in zip(progress.sums, sums, strict=True)]
        result = Result.from_sums(sums)
        seconds = time.perf_counter() - since
        window = Window(self._total(progress), result, result.examples / seconds)
        self.hooks.window(progress, window)

    def _end_of_epoch(self, progress: Progress) -> None:
        error = self.hooks.epoch(progress, Result.from_sums(progress.sums), self.stopping)
        if error is not None:
            progress.plateau.observe(self.config.schedule, error)
        progress.epoch, progress.step = progress.epoch + 1, 0
        progress.sums = [0.0] * len(COLUMNS)
        self.hooks.save(progress, error)

    def _total(self, progress: Progress) -> int:
        return self.steps.before(progress.epoch) + progress.step
