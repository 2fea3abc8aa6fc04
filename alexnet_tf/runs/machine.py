"""The machine that something was made on, and its software."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from pathlib import Path

from preprocessing.dataset.printable import counted

LIBRARIES = ("tensorflow", "keras", "numpy")


def here() -> dict[str, str]:
    """This machine and its software, today."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    # Those that this process may use, where that can be known.
    usable = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if usable else os.cpu_count() or 1
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": f"{_processor()}, {counted(cores, 'core')}",
        "python": platform.python_version(),
        **versions,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
