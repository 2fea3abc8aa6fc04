"""Has the C library keep the memory that a verb frees.

glibc gives large blocks back to the system and fetches them again, page by page: of a raw dataset
54 page faults an image, two thirds of the time that reading takes. One arena for all threads, for
blocks of one are not used by another, nor kept when its last block is freed.

To be called before there are threads. Whoever sets MALLOC_ARENA_MAX, MALLOC_MMAP_THRESHOLD_ or
MALLOC_TRIM_THRESHOLD_ in the environment decides instead; other C libraries have no such options.
"""

from __future__ import annotations

import ctypes
import os

# Of <malloc.h>: the option's number and value, by the variable that glibc has for it.
OPTIONS = {
    "MALLOC_ARENA_MAX": (-8, 1),
    "MALLOC_MMAP_THRESHOLD_": (-3, 32 << 20),  # bytes; above it a block is a mapping of its own
    "MALLOC_TRIM_THRESHOLD_": (-1, 1 << 30),  # bytes that stay free at the arena's end
}


def keep_freed() -> None:
    """From now on, in this process."""
    if not OPTIONS.keys().isdisjoint(os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in OPTIONS.values():
            mallopt(option, value)
