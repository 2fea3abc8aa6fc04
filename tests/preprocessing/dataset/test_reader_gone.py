"""Whether anybody reads standard output."""

import os
import select
import subprocess
import sys

import pytest

from tests.deadlines import SECONDS

ASKS = """
import select, sys
from preprocessing.dataset.reader_gone import reader_is_gone
class Reports(list):
    def register(self, *_): pass
    def poll(self, _): return [(1, event) for event in self]
if sys.argv[1:]:
    select.poll = lambda: Reports(map(int, sys.argv[1:]))
print(reader_is_gone(), file=sys.stderr)
print("x" * 1_000_000, flush=True)
"""


def asked(output, *events):
    return subprocess.run(
        [sys.executable, "-c", ASKS, *map(str, events)],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
    )


def test_a_pipe_without_a_reader_is_replaced():
    reader, writer = os.pipe()
    os.close(reader)
    done = asked(writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "True\n")  # all was written, to nowhere


def test_a_reader_is_there():
    done = asked(subprocess.PIPE)
    assert (done.stdout, done.stderr) == ("x" * 1_000_000 + "\n", "False\n")


@pytest.mark.parametrize(
    ("events", "gone"),
    [
        ((select.POLLERR,), True),
        ((select.POLLHUP,), True),
        ((select.POLLOUT | select.POLLHUP,), True),
        ((select.POLLOUT,), False),
        ((), False),
    ],
)
def test_systems_report_it_differently(events, gone):
    done = asked(subprocess.PIPE, *(events or (0,)))
    assert (done.stdout == "") is gone
    assert done.stderr == f"{gone}\n"
