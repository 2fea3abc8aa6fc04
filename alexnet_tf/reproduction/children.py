"""Verbs in processes of their own, and the signals that reach them."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from alexnet_tf.errors import JobError, UserError

MISTAKE = 2  # a verb's exit code
LINE = 500  # characters of a log's last line that are told


class Interrupted(Exception):
    """A signal asked to stop; `number` is the signal."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


class Children:
    """The verbs that are at work. Each is started in a thread of its own, which waits for it.

    logs: whether each writes to a log instead of the terminal, since there are several at once.
    """

    def __init__(self, logs: bool = False):
        self.logs = logs
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen] = set()
        self._signal: int | None = None

    def call(self, module: str, *words: str, who: str, log: Path, quiet: bool = False) -> None:
        """Runs a module of alexnet_tf to its end.

        It is in a process group of its own, so that a terminal's Ctrl-C does not reach it twice.

        Args: who, whose work it is, for the error's line; log, where its output goes if `logs`;
        quiet, whether what it prints on standard output is not wanted.
        Raises:
            Interrupted: a signal came, here or to it alone; it ended as it does on a signal.
            UserError: it refused; JobError: it failed. It has printed its own line.
        """
        command = [sys.executable, "-m", f"alexnet_tf.{module}", *words]
        with self._output(log) as file:
            process = self._start(command, subprocess.DEVNULL if quiet else file, file)
            try:
                code = process.wait()
            finally:
                with self._lock:
                    self._running.discard(process)
        if self._signal is not None:
            raise Interrupted(self._signal)
        if code == 128 + signal.SIGINT:  # it alone was interrupted
            raise Interrupted(signal.SIGINT)
        where = f"{_last_line(log)}; all in {log}" if self.logs else "its line is above"
        if code == MISTAKE:
            raise UserError(f"{who}: {module} refused ({where})")
        if code:
            raise JobError(f"{who}: {module} failed with exit code {code} ({where})")

    def stop(self, number: int) -> None:
        """Hands a signal on to all; none is started any more."""
        with self._lock:
            self._signal = self._signal or number
            for process in self._running:
                process.send_signal(number)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within it, SIGINT and SIGTERM are handed on. In the main thread, which starts none."""

        def hand_on(number: int, frame: FrameType | None) -> None:
            self.stop(number)

        before = {n: signal.signal(n, hand_on) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start(self, command: Sequence[str], output: object, errors: object) -> subprocess.Popen:
        with self._lock:
            if self._signal is not None:
                raise Interrupted(self._signal)
            process = subprocess.Popen(command, stdout=output, stderr=errors, process_group=0)
            self._running.add(process)
        return process

    @contextlib.contextmanager
    def _output(self, log: Path) -> Iterator[object]:
        if not self.logs:
            yield None
            return
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            yield file


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").replace("\r", "\n").split("\n")
    return next((line.strip()[:LINE] for line in reversed(lines) if line.strip()), "no output")
