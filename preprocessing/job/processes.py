"""Is a process still the one it was? Process ids are given out again; start times are not."""

import os
import subprocess
import sys
from pathlib import Path


def start_time(pid: int) -> str | None:
    """When a process began, in a form to compare only; None if there is none of this id."""
    status = _status(pid)
    return status[1] if status else None


def is_child(pid: int) -> bool:
    """Whether a process of this id runs and was started by this one."""
    status = _status(pid)
    return status is not None and status[0] == os.getpid()


def this_system() -> str:
    """Where process ids mean the same: this boot of this machine, or this container on it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _status(pid: int) -> tuple[int, str] | None:
    """(parent's id, start time)."""
    if not sys.platform.startswith("linux"):
        command = ["ps", "-o", "ppid=,lstart=", "-p", str(pid)]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        return (int(found[0]), " ".join(found[1:])) if found else None
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the program's name may hold spaces and brackets
    return int(fields[1]), fields[19]
