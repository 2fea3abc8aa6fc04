"""Local worker processes: what they inherit, and what happens when one of them or the job dies."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import grpc

from preprocessing.errors import JobError
from preprocessing.job.processes import children, start_time
from preprocessing.job.worker_log import WorkerLog

DRIVER = "PREPROCESSING_DRIVER"  # environment variable: id and start of who started the workers
WORKER_PACKAGE = "ALEXNET_TF_WORKER"  # environment variable: setup.py leaves out the training part
WORKER = "apache_beam.runners.worker.sdk_worker_main"  # the program that a worker process runs

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
        DRIVER: f"{os.getpid()} {start_time(os.getpid())}",
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


def driver_runs() -> bool:
    """On a worker: whether the process that started it runs still; True where none is named."""
    pid, _, started = os.environ.get(DRIVER, "").partition(" ")
    return not pid or start_time(int(pid)) == started


@contextlib.contextmanager
def watched_workers(log: WorkerLog) -> Iterator[None]:
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

    def stop(signal_number: int, frame: FrameType | None) -> None:
        stopping.set()
        for pid in children(WORKER):
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
            said = log.last_line()
            raise JobError(
                f"a worker process died ({died[0]}{'; it said: ' + said if said else ''}); was "
                "there enough memory? Finished shards are kept for the next run"
            ) from error
        raise
    finally:
        stopping.set()
        threading.excepthook = before
        if in_main:
            signal.signal(signal.SIGINT, handler)
