"""Whom a conversion may send a signal to, and what its workers print."""

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from preprocessing.errors import JobError
from preprocessing.job.local_workers import DRIVER, WORKER, driver_runs, watched_workers
from preprocessing.job.processes import children, start_time, this_system
from preprocessing.job.worker_log import worker_log

LIMIT = 60
MODULE = "sleeper"
SLEEPER = "import sys; print('here', flush=True); sys.stdin.read()"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "{MODULE}"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    """Starts Python with some arguments; ends all that it has started."""
    (tmp_path / f"{MODULE}.py").write_text(SLEEPER)
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.stdin.close()  # its own children hear of it, too
        process.wait(LIMIT)
        process.stdout.close()


def test_only_own_workers_are_found(start):
    """Not another's worker of the same command, nor an own child that is something else."""
    worker, _ = start("-m", MODULE)
    start("-c", SLEEPER)
    _, grandchild = start("-c", PARENT)
    assert start_time(int(grandchild)) is not None
    assert children(MODULE) == [worker.pid]
    worker.kill()
    worker.wait(LIMIT)
    assert children(MODULE) == []


def test_other_users_processes_may_be_hidden(start, monkeypatch):
    """As with /proc mounted with hidepid=1."""
    worker, _ = start("-m", MODULE)
    read = Path.read_text

    def hidden(path, *arguments, **options):
        if path.parts[1:2] == ("proc",) and path.parts[2] != str(worker.pid):
            raise PermissionError(1, "Operation not permitted", str(path))
        return read(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", hidden)
    assert children(MODULE) == [worker.pid]


def test_a_start_time_tells_processes_of_one_id_apart(start):
    first, _ = start("-m", MODULE)
    began = start_time(first.pid)
    assert began == start_time(first.pid)
    assert began != start_time(os.getpid())
    first.kill()
    first.wait(LIMIT)
    assert start_time(first.pid) is None
    assert this_system()


@pytest.mark.parametrize(
    ("named", "runs"),
    [
        (lambda: "", True),  # a worker that was started otherwise
        (lambda: f"{os.getpid()} {start_time(os.getpid())}", True),
        (lambda: f"{os.getpid()} 17", False),  # its id is another process's by now
        (lambda: "4194305 17", False),  # beyond the largest id
    ],
)
def test_a_worker_knows_whether_its_driver_runs(monkeypatch, named, runs):
    monkeypatch.setenv(DRIVER, named())
    assert driver_runs() is runs


def test_workers_never_wait_for_their_log_to_be_read():
    """Far more than a pipe holds; the end of it is kept."""
    with worker_log() as log:
        code = "print('x' * 3_000_000); print('Traceback: so'); print('OSError: it was this\\n')"
        command = f'exec {sys.executable} -c "{code}" >>{log.path} 2>&1'
        subprocess.run(command, shell=True, check=True, timeout=LIMIT)
        for _ in range(20 * LIMIT):
            if log.last_line() == "OSError: it was this":
                break
            threading.Event().wait(0.05)
        assert log.last_line() == "OSError: it was this"
    assert not os.path.exists(log.path)


def test_the_last_words_of_a_worker_that_died_are_told():
    with worker_log() as log:
        log.add(textwrap.dedent("Traceback\n  ...\nModuleNotFoundError: no numpy\n\n").encode())
        with pytest.raises(JobError, match="it said: ModuleNotFoundError: no numpy") as told:
            _die(log)
    assert "\n" not in str(told.value)


def _die(log):
    """As Beam's thread does that waits for a worker; its end interrupts the waiting."""

    def wait_for_worker():
        raise RuntimeError("Worker subprocess exited with return code 1")

    with watched_workers(log):
        thread = threading.Thread(name="run_worker", target=wait_for_worker)
        thread.start()
        thread.join(LIMIT)
        threading.Event().wait(LIMIT)


def test_the_worker_module_is_beams():
    __import__(WORKER)
