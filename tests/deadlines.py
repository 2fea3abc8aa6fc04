"""Waiting in tests, but never for ever."""

import subprocess
import time
from collections.abc import Callable

SECONDS = 400  # for any process; a loaded machine takes 30 to import TensorFlow


def wait_until(
    condition: Callable[[], bool], process: subprocess.Popen, seconds: float = SECONDS
) -> None:
    """Returns when the condition holds or the process has ended; fails after so many seconds."""
    end = time.monotonic() + seconds
    while process.poll() is None and not condition():
        if time.monotonic() > end:
            process.kill()
            raise AssertionError(f"nothing happened in {seconds} s: {condition}")
        time.sleep(0.002)
