"""Shows how far long work is: a bar on a terminal, a plain line now and then in a log."""

import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

from tqdm import tqdm


class ImageCount:
    """A number of images that the one who works adds to and a ProgressDisplay reads."""

    def __init__(self):
        self._done = 0

    def add(self, count: int) -> None:
        self._done += count

    def __call__(self) -> int:
        return self._done


class ProgressDisplay:
    """Polls a count in a thread of its own, from ``with`` to its end.

    Args:
        total: number of images of the whole job.
        kept: how many of them an earlier run has done; they do not count in the rate.
        count: returns the number of images that this run has done.
        file: where to write; sys.stderr if None.
        interval: seconds between lines in a log.
    """

    def __init__(
        self,
        total: int,
        kept: int,
        count: Callable[[], int],
        file: TextIO | None = None,
        interval: float = 10.0,
    ):
        self._total = total
        self._kept = kept
        self._count = count
        self._file = sys.stderr if file is None else file
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._started = 0.0

    def __enter__(self) -> "ProgressDisplay":
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        if not self._file.isatty():
            while not self._stop.wait(self._interval):
                line = describe(
                    self._count(), self._kept, self._total, time.monotonic() - self._started
                )
                print(line, file=self._file, flush=True)
            return
        with tqdm(
            total=self._total, initial=self._kept, unit=" images", file=self._file, smoothing=0.05
        ) as bar:
            while not self._stop.wait(0.5):
                bar.update(min(self._kept + self._count(), self._total) - bar.n)
            bar.update(min(self._kept + self._count(), self._total) - bar.n)


def describe(done: int, kept: int, total: int, seconds: float) -> str:
    """One line of a log: done, rate, time left."""
    finished = min(kept + done, total)
    line = f"{finished:,} of {total:,} images"
    if done <= 0 or seconds <= 0:
        return line
    rate = done / seconds
    left = round((total - finished) / rate)
    hours, minutes, rest = left // 3600, left % 3600 // 60, left % 60
    return f"{line}, {rate:,.0f} images/s, {hours}:{minutes:02}:{rest:02} left"
