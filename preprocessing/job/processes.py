"""Which process is which: ids are given out again, a start time or a parent tells them apart."""

import os
import subprocess
import sys
from pathlib import Path

_LINUX = sys.platform.startswith("linux")


def start_time(pid: int) -> str | None:
    """When a process began, in a form to compare only; None if there is none of this id.

    Raises PermissionError: it is another user's, and the system does not tell of those.
    """
    status = _status(pid)
    return status[1] if status else None


def children(module: str) -> list[int]:
    """Ids of the running processes that this one has started as ``python -m module``.

    A child's id is its own until its parent has heard of its end; so it may be sent a signal.
    """
    if _LINUX:
        listed = [_of_proc(int(name)) for name in os.listdir("/proc") if name.isdigit()]
    else:
        command = ["ps", "-axo", "pid=,ppid=,command="]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        listed = [(*map(int, line.split()[:2]), line) for line in text.splitlines()]
    return [pid for pid, parent, line in listed if parent == os.getpid() and f"-m {module}" in line]


def _of_proc(pid: int) -> tuple[int, int, str]:
    """(id, parent's id, command line); the parent's is 0 if the process has ended."""
    try:
        status = _status(pid)
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:  # it has ended, or is another user's where /proc is mounted with hidepid
        status, line = None, b""
    return pid, status[0] if status else 0, line.decode("utf-8", "replace")


def this_system() -> str:
    """Where process ids mean the same: this boot of this machine, or this container on it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _status(pid: int) -> tuple[int, str] | None:
    """(parent's id, start time)."""
    if not _LINUX:
        command = ["ps", "-o", "ppid=,lstart=", "-p", str(pid)]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        return (int(found[0]), " ".join(found[1:])) if found else None
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the program's name may hold spaces and brackets
    return int(fields[1]), fields[19]
