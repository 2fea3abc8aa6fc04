"""Keeps two conversions from writing to one directory, wherever it lies."""

import contextlib
import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

from preprocessing.errors import DatasetError
from preprocessing.job.processes import start_time, this_system
from preprocessing.job.workspace import Workspace

_TRIES = 20  # to make a folder that others remove; a link to nowhere would be tried for ever


@contextlib.contextmanager
def locked(workspace: Workspace) -> Iterator[None]:
    """Holds the directory's lock; empty folders are removed at the end.

    Raises:
        DatasetError: another conversion holds it.
    """
    files = workspace.files
    files.make_folder(workspace.folder)
    try:
        with _file_lock(workspace) if files.is_local else _marked(workspace):
            yield
    finally:
        files.delete_if_empty(workspace.folder)
        files.delete_if_empty(workspace.output)


@contextlib.contextmanager
def _file_lock(workspace: Workspace) -> Iterator[None]:
    """The system's lock on a file, which ends with the process."""
    path = workspace.shared("lock")
    with contextlib.ExitStack() as stack:
        while True:
            lock = stack.enter_context(_opened(workspace, path))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DatasetError(
                    f"another conversion is writing to {workspace.output!r}; wait for it, or "
                    "stop it"
                ) from error
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock.fileno()), os.stat(path)):
                    break  # else its last holder removed it meanwhile
        try:
            yield
        finally:
            workspace.files.delete(path)


def _opened(workspace: Workspace, path: str) -> BinaryIO:
    """The lock's file, in a folder that other jobs remove at their ends."""
    for _ in range(_TRIES):
        with contextlib.suppress(FileNotFoundError):
            return open(path, "wb")
        workspace.files.make_folder(workspace.folder)
    return open(path, "wb")


@contextlib.contextmanager
def _marked(workspace: Workspace) -> Iterator[None]:
    """A file that says who writes; object stores and HDFS know no better.

    Each job writes a file of its own first and looks for others' then. As these stores list what
    was written before, of two jobs at least one sees the other and gives up.
    """
    files, folder = workspace.files, workspace.shared("locks")
    name = f"{os.urandom(8).hex()}.json"
    holder = {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "started": start_time(os.getpid()),
        "system": this_system(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }
    files.make_folder(folder)
    with files.create(files.join(folder, name)) as file:
        file.write(json.dumps(holder).encode())
    try:
        for other in files.names(folder):
            if other.endswith(".json") and other != name:
                _check_dead(workspace, files.join(folder, other))
        yield
    finally:
        files.delete(files.join(folder, name))


def _check_dead(workspace: Workspace, path: str) -> None:
    """Removes the mark of a process that was on this machine and has ended, else refuses."""
    files = workspace.files
    try:
        with files.open(path) as file:
            data = file.read(10_000)
    except OSError:
        if files.is_file(path):
            raise
        return  # it ended just now
    try:
        holder = json.loads(data)
        who = f"process {holder['process']} on {holder['host']} since {holder['since']}"
        here = holder["system"] and holder["system"] == this_system()
        dead = here and start_time(int(holder["process"])) != holder["started"]
    except (ValueError, KeyError, TypeError):
        who, dead = "its mark is damaged", False
    except PermissionError:  # another user's: it runs
        dead = False
    if not dead:
        raise DatasetError(
            f"another conversion is writing to {workspace.output!r} ({who}); wait for it, or stop "
            f"it. If it runs no longer, delete {path} and repeat the command"
        )
    print(f"{who} has ended: its lock is removed", file=sys.stderr)
    files.delete(path)
