"""The trainings of all claims that are put to the test, each made once."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from alexnet_tf import cli
from alexnet_tf.errors import JobError
from alexnet_tf.reproduction import workers
from alexnet_tf.reproduction.children import Children
from alexnet_tf.reproduction.outcome import Outcome, Outcomes
from alexnet_tf.reproduction.progress import Remaining, clock, epochs_done
from alexnet_tf.reproduction.runs import Training, make
from preprocessing.dataset.printable import counted

TELL_EVERY = 60  # seconds; of several at once, whose own progress goes to their logs
ALONE_EVERY = 600  # of one at a time, which shows its own
ERASED = "\r\x1b[K"  # what stands in the terminal's line


class Work:
    """Makes what is missing, keeps each outcome as it comes, and says how far it is.

    failed: what became of trainings that failed, by key.
    """

    def __init__(
        self,
        plans: Iterable[Sequence[Training]],
        data: str,
        runs: Path,
        outcomes: Outcomes,
        remaining: Remaining,
    ):
        self.data, self.runs = data, runs
        self.outcomes, self.remaining = outcomes, remaining
        self.all: dict[tuple[str, int], Training] = {}
        for training in (t for plan in plans for t in plan):
            views = {*training.views, *self.all.get(training.key, training).views}
            self.all[training.key] = replace(training, views=tuple(sorted(views)))
        self.failed: dict[tuple[str, int], str] = {}
        self._children = Children(logs=remaining.jobs > 1)
        self._at_work: dict[tuple[str, int], Training] = {}
        self._begun = len(self.all) - len(self._missing())
        self._lock = threading.RLock()

    def announce(self) -> None:
        missing = self._missing()
        rest = f", about {clock(self.remaining.seconds(missing))}" if missing else ""
        print(
            f"trainings: {len(self.all)} in all, {self._begun} there, {len(missing)} to be"
            f" made{rest}",
            flush=True,
        )

    def done(self) -> Iterator[None]:
        """Makes them; one step at the beginning, and one for each that is made or has failed.

        Raises Interrupted, and UserError of a training; the others at work have been stopped.
        """
        yield
        every = TELL_EVERY if self._children.logs else ALONE_EVERY
        missing, jobs = self._missing(), self.remaining.jobs
        results = workers.outcomes(missing, jobs, self._make, every, self._is_wanted)
        with self._children.listening(), contextlib.closing(results):
            try:
                for result in results:
                    if result is None:
                        self._tell()
                        continue
                    self._take(*result)
                    yield
            except BaseException:
                self._children.stop(signal.SIGTERM)
                raise

    def only(self, plans: Iterable[Sequence[Training]]) -> None:
        """Begins no training any more that is in none of these."""
        wanted = {training.key for plan in plans for training in plan}
        with self._lock:
            self.all = {key: training for key, training in self.all.items() if key in wanted}

    def complete(self, plan: Sequence[Training]) -> bool:
        return all(map(self._is_there, plan))

    def _make(self, training: Training) -> Outcome:
        """In a thread of its own. Raises as `make`."""
        with self._lock:
            self._begun += 1
            print(
                f"[{self._begun}/{len(self.all)}] {_name(training)}: {training.work}; about"
                f" {self._left()} left of all",
                flush=True,
            )
            self._at_work[training.key] = training
            if any(part.key in self.failed for part in training.averaged):
                raise JobError(f"{_name(training)}: a network of it failed")
        return make(training, self.data, self.runs, self._children)

    def _take(self, training: Training, future: Future[Outcome]) -> None:
        with self._lock:
            self._at_work.pop(training.key, None)
            try:
                outcome = future.result()
            except JobError as error:
                self.failed[training.key] = str(error)
                print(f"failed: {error}; going on with the others", flush=True)
                return
            with cli.writing(self.outcomes.directory):
                path = self.outcomes.keep(outcome)
        errors = ", ".join(
            f"{e.top1_error:.2%} ({counted(v, 'view')})" for v, e in outcome.views.items()
        )
        whose = f"{_name(training)}: " if self._children.logs else ""
        print(f"{whose}top-1 error {errors}; kept as {path.name}", flush=True)

    def _tell(self) -> None:
        """Of several at once: where each is. How long all take, unless this one is the last."""
        if not self._children.logs:
            if len(self._missing()) > 1:
                over = ERASED if sys.stdout.isatty() else ""  # the training's own bar
                print(f"{over}  about {self._left()} left of all", flush=True)
            return
        with self._lock:
            for training in self._at_work.values():
                if training.config is not None and not training.averaged:
                    there = epochs_done(training, self.runs)
                    print(f"  {_name(training)}: {there} of {training.work}")
            print(f"  about {self._left()} left of all", flush=True)

    def _left(self) -> str:
        done = {
            key: epochs_done(training, self.runs) / training.config.training.epochs
            for key, training in self._at_work.items()
            if training.config is not None
        }
        return clock(self.remaining.seconds(self._missing(), done))

    def _missing(self) -> list[Training]:
        """Whose outcome is not there; or a network's weights, which one yet to be made averages."""
        absent = {key: t for key, t in self.all.items() if not self._is_there(t)}
        averaged = {part.key for training in absent.values() for part in training.averaged}
        return [
            training
            for key, training in self.all.items()
            if key not in self.failed
            and (key in absent or (key in averaged and not training.has_run(self.runs)))
        ]

    def _is_wanted(self, training: Training) -> bool:
        return training.key in self.all

    def _is_there(self, training: Training) -> bool:
        outcome = self.outcomes.get(*training.key)
        return outcome is not None and outcome.views.keys() >= {*training.views}


def _name(training: Training) -> str:
    return f"{training.claim}, {training.arm}, seed {training.seed}"
