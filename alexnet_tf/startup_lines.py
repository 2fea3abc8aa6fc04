"""Keeps a few known lines of TensorFlow's off the terminal while it starts.

Every process that loads TensorFlow tells of its CPU features and of CUDA drivers that are not
there, before it reads TF_CPP_MIN_LOG_LEVEL. Between `begin` and `end` exactly those lines are left
out of standard error (file descriptor 2); everything else passes, and all of it where
TF_CPP_MIN_LOG_LEVEL is 0.

The lines go through a small process of its own: should this one crash, it still passes on what was
written until then.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time

# Beginnings of messages, after the prefix with time, process and place.
KNOWN = (
    b"oneDNN custom operations are on.",
    b"Could not find cuda drivers on your machine, GPU will not be used.",
    b"failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)",
    b"Unable to register cuDNN factory: Attempting to register factory for plugin cuDNN when",
    b"Unable to register cuFFT factory: Attempting to register factory for plugin cuFFT when",
    b"Unable to register cuBLAS factory: Attempting to register factory for plugin cuBLAS when",
    b"computation placer already registered.",
)
# Where decoders tell of a damaged image, of which `predict` has a line of its own.
DECODERS = (b"jpeg_mem.cc", b"jpeg_handle.cc", b"png_io.cc", b"gif_io.cc")
PLAIN = b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR"
_PREFIX = re.compile(
    rb"(?:[IWE]\d{4} [\d:.]+ +\d+ |\d{4}-\d\d-\d\d [\d:.]+: [IWE] )([\w./-]+\.cc):\d+\] "
)
SECONDS = 2  # to wait for the last lines

_filtering: tuple[int, int] | None = None  # the process, and where standard error went before
_kept = False


def begin() -> None:
    """From now on, until `end`; to be called before there are threads."""
    global _filtering
    if _filtering or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0" or not hasattr(os, "fork"):
        return
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    source, target = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(target)
        _pass_on(source, kept)
    os.close(source)
    os.dup2(target, 2)
    os.close(target)
    _filtering = process, kept


def keep() -> None:
    """For a verb whose images may be damaged, and that shows no progress bar: to its end."""
    global _kept
    _kept = True


def loaded() -> None:
    """TensorFlow has started: the `end`, unless a verb keeps it."""
    if not _kept:
        end()


def end() -> None:
    """Standard error is again what it was, and holds all that was written to it."""
    global _filtering
    if _filtering is None:
        return
    process, kept = _filtering
    _filtering = None
    if sys.stderr is not None:
        sys.stderr.flush()
    os.dup2(kept, 2)
    os.close(kept)
    until = time.monotonic() + SECONDS  # whoever was started meanwhile may write there still
    while os.waitpid(process, os.WNOHANG) == (0, 0) and time.monotonic() < until:
        time.sleep(0.001)


def known(line: bytes) -> bool:
    """Whether it is one of the lines that are left out."""
    prefix = _PREFIX.match(line)
    if prefix is None:
        return line == PLAIN
    return prefix[1].endswith(DECODERS) or line[prefix.end() :].startswith(KNOWN)


def _pass_on(source: int, target: int) -> None:
    """In a process of its own, until nobody can write to `source` any more."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the other process decides when it ends
        os.closerange(0, 2)  # a reader of standard output does not wait for this process
        rest = b""
        while data := os.read(source, 1 << 16):
            *lines, rest = (rest + data).split(b"\n")
            _write(target, b"".join(line + b"\n" for line in lines if not known(line)))
        _write(target, rest)
    finally:
        os._exit(0)


def _write(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]
