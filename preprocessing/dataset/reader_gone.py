"""What a program does whose standard output nobody reads any more, as `head` does not."""

from __future__ import annotations

import os
import select
import sys

READER_GONE = 128 + 13  # the exit code of a program that SIGPIPE ends
_GONE = select.POLLERR | select.POLLHUP  # as Linux reports it, and as macOS does


def reader_is_gone() -> bool:
    """Whether standard output has no reader; then what is left for it goes nowhere."""
    watch = select.poll()
    watch.register(sys.stdout.fileno(), _GONE)
    if not any(event & _GONE for _, event in watch.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True
