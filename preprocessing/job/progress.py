"""How far a conversion is: workers leave it in small files, the job reads them."""

import contextlib
import sys
import time
from collections.abc import Sequence

from preprocessing.errors import ShardFailure
from preprocessing.job.local_workers import driver_runs
from preprocessing.job.plan import ShardTask
from preprocessing.job.workspace import JobFolder

_LISTING_SECONDS = 10.0  # between lines
_REMOTE_SECONDS = 20.0  # between looks at a folder far away


class ListingProgress:
    """A line every ten seconds while a large source is listed."""

    def __init__(self):
        self._next = time.monotonic() + _LISTING_SECONDS

    def __call__(self, count: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LISTING_SECONDS
            print(f"listed {count:,} images", file=sys.stderr, flush=True)


class ShardProgress:
    """Tells the job how far a shard is: a small file, at most once a second.

    Where the job runs on this machine, its end ends the shard too.
    """

    def __init__(self, folder: JobFolder, name: str):
        self._path = folder.progress(name) if folder.files.is_local else None
        self._next = time.monotonic() + 1

    def __call__(self, done: int) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 1
        if not driver_runs():
            raise ShardFailure("the job that started this worker has ended")
        if self._path:
            with open(self._path, "w", encoding="ascii") as file:
                file.write(str(done))


class JobProgress:
    """Counts the images that this run has done."""

    def __init__(self, folder: JobFolder, waiting: Sequence[ShardTask]):
        self._folder = folder
        self._waiting = {f"{task.name}.json": task.images for task in waiting}
        self._done = 0
        self._next = 0.0

    def __call__(self) -> int:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + (1 if self._folder.files.is_local else _REMOTE_SECONDS)
            with contextlib.suppress(OSError):  # a store's, for once: the next look will tell
                self._done = self._look()
        return self._done

    def _look(self) -> int:
        files = self._folder.files
        finished = self._waiting.keys() & set(files.names(self._folder.path("results")))
        done = sum(self._waiting[name] for name in finished)
        if files.is_local:
            for name in files.names(self._folder.path("progress")):
                if f"{name}.json" not in finished:
                    with files.open(self._folder.progress(name)) as file:
                        done += int(file.read() or 0)
        return done
