"""A run that is told to end does so between two steps, and saves."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType


class StopOnSignal:
    """SIGTERM and the first Ctrl-C end the run after the step in progress, with a checkpoint."""

    SIGNALS = (signal.SIGTERM, signal.SIGINT)
    TEXT = b"\nstopping after this step, with a checkpoint; Ctrl-C again: at once, without one\n"

    def __init__(self, stop: threading.Event):
        self.stop = stop
        self.received: int | None = None  # the first signal

    def __enter__(self) -> StopOnSignal:
        self.previous = {}
        if threading.current_thread() is threading.main_thread():
            for number in self.SIGNALS:
                self.previous[number] = signal.signal(number, self._received)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self.stop.is_set():
            if number == signal.SIGINT:  # a second Ctrl-C is meant
                raise KeyboardInterrupt
            return  # SIGTERM may be sent twice, to a process and to its group
        self.received = number
        self.stop.set()
        with contextlib.suppress(OSError):  # not by `print`, which may be at work right now
            os.write(sys.stderr.fileno(), self.TEXT)
