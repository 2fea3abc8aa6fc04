"""Local worker processes: what they inherit, and what happens when one of them or the job dies."""

import contextlib
import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc

from preprocessing.errors import DatasetError, JobError
from preprocessing.job.shards import Workspace

DRIVER = "PREPROCESSING_DRIVER_PID"  # environment variable: the process that started the workers
WORKER_PACKAGE = "ALEXNET_TF_WORKER"  # environment variable: setup.py leaves out the training part
PIDS = "workers.pid"  # file of the working folder: a line for each worker

# glibc gives freed memory back to the system and fetches it again, image by image: 45 page
# faults each, 3 % of the time. These limits (in bytes) have it keep what one image needs.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(128 << 20)}

_WORKER_THREAD = "run_worker"  # Beam's name for the thread that waits for a worker process


@contextlib.contextmanager
def worker_environment() -> Iterator[None]:
    """What local worker processes inherit, and what Beam's --setup_file packs for remote ones.

    Local ones: where this package is, who started them, one thread, and how to keep memory.
    """
    checkout = Path(__file__).resolve().parents[2]
    paths = [str(checkout), *filter(None, [os.environ.get("PYTHONPATH")])]
    values = {
        "PYTHONPATH": os.pathsep.join(paths),
        DRIVER: str(os.getpid()),
        "OPENBLAS_NUM_THREADS": "1",  # there is a process for each core already
        **{name: os.environ.get(name, value) for name, value in _KEEP_MEMORY.items()},
        WORKER_PACKAGE: "1",
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def watched_workers(workspace: Workspace) -> Iterator[None]:
    """Ends the job when a local worker process dies, or at Ctrl-C; Beam alone would wait for ever.

    Either way the other workers are stopped first, for Beam's own tidying waits for them too.
    """
    died: list[str] = []
    stopping = threading.Event()
    before = threading.excepthook

    def notice(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread is None or arguments.thread.name != _WORKER_THREAD:
            if not issubclass(arguments.exc_type, grpc.RpcError):  # of the broken connection
                before(arguments)
        elif not stopping.is_set():
            died.append(str(arguments.exc_value))
            os.kill(os.getpid(), signal.SIGINT)  # wakes the main thread from Beam's waiting

    def stop(signal_number: int, frame) -> None:
        stopping.set()
        for pid in _worker_pids(workspace):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        raise KeyboardInterrupt

    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, stop) if in_main else None
    threading.excepthook = notice
    try:
        yield
    except BaseException as error:
        if died:
            raise JobError(
                f"a worker process died ({died[0]}); was there enough memory? Finished shards are "
                "kept for the next run"
            ) from error
        raise
    finally:
        stopping.set()
        threading.excepthook = before
        if in_main:
            signal.signal(signal.SIGINT, handler)


def _worker_pids(workspace: Workspace) -> list[int]:
    """Of the local worker processes that this run has started."""
    try:
        with open(workspace.path(PIDS), encoding="ascii") as file:
            return [int(line) for line in file]
    except FileNotFoundError:
        return []


@contextlib.contextmanager
def locked(workspace: Workspace) -> Iterator[None]:
    """Keeps two local conversions from writing to one directory."""
    workspace.files.make_folder(workspace.folder)
    if not workspace.files.is_local:
        yield
        return
    with open(workspace.path("lock"), "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DatasetError(
                f"another conversion is writing to {workspace.output!r}; wait for it, or stop it"
            ) from error
        yield
