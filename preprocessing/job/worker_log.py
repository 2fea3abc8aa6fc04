"""What local workers print goes through a pipe to the job, which keeps the end of it.

Not to a file: a disk that fills up would stop a worker in the very moment when it reports that,
and the job would wait for ever.
"""

import contextlib
import os
import select
import tempfile
import threading
from collections.abc import Iterator

_KEPT_BYTES = 1 << 16
_WAIT_SECONDS = 0.2


class WorkerLog:
    """The end of what was printed; `path` is where to write to."""

    def __init__(self, path: str):
        self.path = path
        self._end = b""

    def add(self, data: bytes) -> None:
        self._end = (self._end + data)[-_KEPT_BYTES:]

    def last_line(self) -> str:
        """Of a traceback, the line that says what went wrong; empty if nothing was printed."""
        lines = self._end.decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


@contextlib.contextmanager
def worker_log() -> Iterator[WorkerLog]:
    """A log for the workers of one job; read in a thread of its own until the block ends."""
    with tempfile.TemporaryDirectory(prefix="workers-") as folder:
        log = WorkerLog(os.path.join(folder, "log"))
        os.mkfifo(log.path)
        # For writing, too: so it does not end when a worker ends.
        descriptor = os.open(log.path, os.O_RDWR | os.O_NONBLOCK)
        stop = threading.Event()
        thread = threading.Thread(target=_read, args=(descriptor, log, stop), daemon=True)
        thread.start()
        try:
            yield log
        finally:
            stop.set()
            thread.join()
            os.close(descriptor)


def _read(descriptor: int, log: WorkerLog, stop: threading.Event) -> None:
    while not stop.is_set():
        if select.select([descriptor], [], [], _WAIT_SECONDS)[0]:
            log.add(os.read(descriptor, _KEPT_BYTES))
