"""Filesystems on which a shard is no ordinary file; apart, as other processes import them."""

import os
import signal
import time

from preprocessing.storage.files import LocalFiles
from tests.deadlines import SECONDS

FIRST = "train-00000-of-00002"


class Awkward(LocalFiles):
    """The first shard does something else, in whatever process it is opened."""

    def __init__(self, instead):
        self._instead = instead

    def open(self, path):
        if path.endswith(FIRST):
            self._instead()
        elif "train-" in path:
            time.sleep(2 * SECONDS)  # longer than any test waits
        return super().open(path)


def refused():
    raise OSError(5, "Input/output error")


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def refusing_files(path):
    return Awkward(refused)


def dying_files(path):
    return Awkward(dies)


def slow_files(path):
    os.makedirs(f"{path}/in-{os.getpid()}", exist_ok=True)
    return Awkward(lambda: time.sleep(2 * SECONDS))
