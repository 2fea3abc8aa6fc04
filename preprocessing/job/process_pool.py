"""Calls shared out to new processes, none of which outlives the one who asked.

Not by concurrent.futures: before Python 3.14 its pool cannot end a process in the midst of its
work, and so goes on after an error or Ctrl-C; nor by multiprocessing's own, which waits for ever
for a process that died.
"""

import contextlib
import itertools
import multiprocessing
import pickle
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from preprocessing.errors import JobError


def in_processes(
    work: Callable, calls: Sequence[tuple], workers: int, begin: Callable | None = None
) -> Iterator[Any]:
    """work(*call) for each call, in their order; as soon as one fails, its error.

    Whatever ends this generator early ends the processes in the midst of their work; Ctrl-C, too,
    which they do not hear themselves.

    Args:
        work: of a module, as it goes to other processes.
        calls: the arguments of each.
        workers: processes, at most one for each call.
        begin: called first in each process.

    Raises:
        JobError: a process died.
        Exception: what a call raised.
    """
    waiting = iter(enumerate(calls))
    processes: list[_Process] = []
    try:
        for _ in range(min(workers, len(calls))):
            processes.append(_Process(work, begin))
        busy = {}  # connection -> (process, number of its call)
        for process, (number, call) in zip(processes, waiting, strict=False):
            process.send(call)
            busy[process.connection] = process, number
        done: dict[int, Any] = {}
        for number in range(len(calls)):
            while number not in done:
                for connection in wait(list(busy)):
                    process, finished = busy.pop(connection)
                    done[finished] = process.receive()
                    for following, call in itertools.islice(waiting, 1):
                        process.send(call)
                        busy[connection] = process, following
            yield done.pop(number)
    except BaseException:
        for process in processes:
            process.kill()
        raise
    finally:
        for process in processes:
            process.connection.close()  # which ends one that waits for a call
        for process in processes:
            process.join()


class _Process:
    """A process that does one call after the other."""

    def __init__(self, work: Callable, begin: Callable | None):
        context = multiprocessing.get_context("spawn")  # forking a threaded process may hang
        self.connection, its_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(its_end, work, begin), daemon=True)
        resource_tracker.ensure_running()  # else the first start does it, and unblocks the signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # it inherits that
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        its_end.close()  # so that the process alone has it, and its end is seen
        self.kill, self.join = self._process.kill, self._process.join

    def send(self, call: tuple) -> None:
        with _told():
            self.connection.send(call)

    def receive(self) -> Any:
        """The call's result. Raises what the call raised, or JobError."""
        with _told():
            done, result = self.connection.recv()
        if not done:
            raise result
        return result


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Within it, a connection whose other end has gone is a JobError."""
    try:
        yield
    except (EOFError, ConnectionError) as error:
        raise JobError(
            "a worker process died; was there enough memory? Fewer --workers need less"
        ) from error


def _serve(connection: Connection, work: Callable, begin: Callable | None) -> None:
    """A process's whole life: until the other end of the connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # its own children may need it
    if begin:
        begin()
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            connection.send(_outcome(work, connection.recv()))


def _outcome(work: Callable, call: tuple) -> tuple[bool, Any]:
    """(True, result) or (False, error)."""
    try:
        return True, work(*call)
    except Exception as error:  # noqa: BLE001 - it is raised where the call came from
        trace = "".join(traceback.format_exception(error))
        error.add_note(trace)
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - its own bytes
        except Exception:  # noqa: BLE001 - whatever its class makes of that; its text must do
            return False, RuntimeError(trace)
        return False, error
