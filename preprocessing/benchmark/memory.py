"""The highest memory that a process has had."""

import resource
import sys


def highest_memory() -> int:
    """Of this process, in bytes."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In Linux, a process's ru_maxrss begins with the memory of the one that started it.
    with open("/proc/self/status", encoding="ascii") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
