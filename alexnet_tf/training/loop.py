"""The loop over epochs and steps: rates in, sums out, checkpoints on the way, exact resume."""

from __future__ import annotations

import dataclasses
import itertools
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from alexnet_tf.config.schema import Config
from alexnet_tf.evaluation.metrics import COLUMNS, Result
from alexnet_tf.training.schedule import PlateauState, Schedule
from alexnet_tf.training.step import Arguments, TrainingStep


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
    rate: float  # of the weights
    images_per_second: float


@dataclass(frozen=True)
class Hooks:
    """What the loop calls; the first three are given the progress made."""

    window: Callable[[Progress, Window], None]
    epoch: Callable[[Progress, Result], float | None]  # returns the validation top-1 error
    save: Callable[[Progress], None]
    any_worker: Callable[[bool], bool]  # whether a condition holds on any; all call it alike


class Loop:
    """Runs epochs from a given progress to the configured end, or to a signal."""

    def __init__(
        self,
        config: Config,
        step: TrainingStep,
        batches: Callable[[tuple[int, int]], Iterable],
        steps_per_epoch: int,
        hooks: Hooks,
    ):
        self.config, self.step, self.batches = config, step, batches
        self.steps_per_epoch, self.hooks = steps_per_epoch, hooks
        self.schedule = Schedule(config)
        self.stop = threading.Event()

    def run(self, progress: Progress) -> bool:
        """True if the run came to its end, False if a signal stopped it; saved in both cases."""
        self.schedule.plateau = progress.plateau
        with _StopOnSignal(self.stop):
            iterator = iter(self.batches((progress.epoch, progress.step)))
            while progress.epoch < self.config.training.epochs:
                try:
                    self._epoch(iterator, progress)
                    self._end_of_epoch(progress)
                except Stopped:
                    self.hooks.save(progress)
                    return False
        return True

    def stopping(self) -> bool:
        """Whether a signal came, to any worker. Every worker asks at the same moments."""
        return self.hooks.any_worker(self.stop.is_set())

    def _epoch(self, iterator, progress: Progress) -> None:
        """The rest of an epoch's steps."""
        pending, waiting, since = [], 0, time.perf_counter()
        while progress.step < self.steps_per_epoch:
            group = self._group(progress, waiting)
            pending.append(self.step(iterator, group))
            progress.step += len(group)
            waiting += len(group)
            stopping = self.stopping()
            done = progress.step == self.steps_per_epoch
            save = self.config.training.checkpoint_every_steps
            due = save and self._total(progress) % save == 0
            if done or due or stopping or waiting == self.config.training.log_every_steps:
                self._flush(progress, pending, since)
                pending, waiting, since = [], 0, time.perf_counter()
            if stopping:
                raise Stopped
            if due and not done:
                self.hooks.save(progress)

    def _group(self, progress: Progress, waiting: int) -> list[Arguments]:
        """The steps of the next execution: up to the next moment at which the loop has to act."""
        training = self.config.training
        count = min(
            training.steps_per_execution,
            self.steps_per_epoch - progress.step,
            training.log_every_steps - waiting,
        )
        if save := training.checkpoint_every_steps:
            count = min(count, save - self._total(progress) % save)
        group = [self._arguments(progress, number) for number in range(count)]
        return list(itertools.takewhile(lambda one: one.moving == group[0].moving, group))

    def _arguments(self, progress: Progress, ahead: int) -> Arguments:
        fraction = (progress.step + ahead) / self.steps_per_epoch
        rates = (
            self.schedule.rate(weight.layer, weight.kind, progress.epoch, fraction)
            for weight in self.step.optimizer.weights
        )
        noise = self.schedule.noise_coefficient(progress.epoch)
        seed = (self.config.training.seed, self._total(progress) + ahead)
        return Arguments(tuple(rates), noise, seed)

    def _flush(self, progress: Progress, pending: list, since: float) -> None:
        """Waits for the pending steps, adds their sums up and reports them."""
        rows = [[float(value) for value in row] for sums in pending for row in sums.numpy()]
        for number, row in enumerate(rows):
            if not math.isfinite(row[0]):
                raise NonFinite("the loss", self._total(progress) - len(rows) + number)
        window = [sum(column) for column in zip(*rows, strict=True)]
        progress.sums = [a + b for a, b in zip(progress.sums, window, strict=True)]
        result = Result.from_sums(window)
        seconds = time.perf_counter() - since
        fraction = (progress.step - 1) / self.steps_per_epoch  # of the last step
        rate = self.schedule.rate("", "kernel", progress.epoch, fraction)
        step = self._total(progress)
        self.hooks.window(progress, Window(step, result, rate, result.examples / seconds))

    def _end_of_epoch(self, progress: Progress) -> None:
        error = self.hooks.epoch(progress, Result.from_sums(progress.sums))
        if error is not None:
            progress.plateau.observe(self.config.schedule, error)
        progress.epoch, progress.step = progress.epoch + 1, 0
        progress.sums = [0.0] * len(COLUMNS)
        self.hooks.save(progress)

    def _total(self, progress: Progress) -> int:
        return progress.epoch * self.steps_per_epoch + progress.step


class _StopOnSignal:
    """SIGTERM and the first Ctrl-C end the run after the step in progress, with a checkpoint."""

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, stop: threading.Event):
        self.stop = stop

    def __enter__(self):
        self.previous = {}
        if threading.current_thread() is threading.main_thread():
            for number in self.SIGNALS:
                self.previous[number] = signal.signal(number, self._received)

    def __exit__(self, *_):
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _received(self, number, frame):
        if self.stop.is_set():  # a second Ctrl-C is meant
            raise KeyboardInterrupt
        self.stop.set()
