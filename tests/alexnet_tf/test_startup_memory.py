"""Freed memory stays with the process that asked for that, and only with it."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's options")

# Faults of the second of two blocks of 16 MiB, which is new memory or the first's.
FAULTS = """
import ctypes, resource
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
def block():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    address = libc.malloc(16 << 20)
    ctypes.memset(address, 1, 16 << 20)
    libc.free(address)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
block()
print(block())
"""
KEEP = "from alexnet_tf import startup_memory; startup_memory.keep_freed()\n"
PAGES = (16 << 20) // 4096


def faults(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_freed_memory_is_used_again():
    assert faults(KEEP + FAULTS) < 100


def test_the_environment_decides_instead():
    # A small threshold: each block is a mapping of its own, and goes back when it is freed.
    assert faults(KEEP + FAULTS, MALLOC_MMAP_THRESHOLD_="100000") > PAGES / 2
