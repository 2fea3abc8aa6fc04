"""Trainings handed out to so many at once, each on its share of the cores."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from alexnet_tf.errors import ConfigError
from alexnet_tf.reproduction.outcome import Outcome
from alexnet_tf.reproduction.runs import Training


def shares(jobs: int) -> list[set[int]]:
    """The cores that this process may use, in as many parts of neighbours.

    Raises ConfigError: more parts than cores, where that can be known.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if cores and jobs > len(cores):
        raise ConfigError(f"--jobs: expected at most {len(cores)}, the cores, received {jobs}")
    ends = [len(cores) * part // jobs for part in range(jobs + 1)]
    return [set(cores[begin:end]) for begin, end in itertools.pairwise(ends)]


def outcomes(
    trainings: Sequence[Training],
    jobs: int,
    make: Callable[[Training], Outcome],
    every: float,
    wanted: Callable[[Training], bool] = lambda training: True,
) -> Iterator[tuple[Training, Future[Outcome]] | None]:
    """Each training with its future as it is done; None every so many seconds.

    They begin in order, but none before those that it averages, and none that is not `wanted` any
    more when its turn has come. Once one that it averages has failed its turn comes at once, and it
    fails by itself. A generator that is closed begins no more, and waits for those at work.
    """
    free = shares(jobs)
    lock = threading.Lock()

    def on_its_share() -> None:
        """A thread's own cores are those of the processes it starts."""
        with lock:
            cores = free.pop()
        if jobs > 1 and cores:
            os.sched_setaffinity(0, cores)

    waiting, at_work = list(trainings), {}
    with ThreadPoolExecutor(jobs, initializer=on_its_share) as pool:
        while waiting or at_work:
            waiting = list(filter(wanted, waiting))
            for training in _ready(waiting, at_work.values())[: jobs - len(at_work)]:
                waiting.remove(training)
                at_work[pool.submit(make, training)] = training
            if not at_work:
                return
            done, _ = wait(at_work, timeout=every, return_when=FIRST_COMPLETED)
            if not done:
                yield None
            for future in done:
                yield at_work.pop(future), future


def _ready(waiting: Sequence[Training], at_work: Sequence[Training]) -> list[Training]:
    pending = {training.key for training in (*waiting, *at_work)}
    return [t for t in waiting if not any(part.key in pending for part in t.averaged)]
