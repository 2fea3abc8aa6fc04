"""Calls in other processes: their results in order, and an end to all of it whatever happens."""

import math
import multiprocessing
import operator
import os
import signal
import time

import pytest

from preprocessing.errors import DatasetError, JobError
from preprocessing.job.process_pool import in_processes
from tests.deadlines import SECONDS


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    assert multiprocessing.active_children() == []
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


@pytest.mark.parametrize("workers", [1, 2, 9])
@pytest.mark.parametrize("calls", [0, 1, 7])
def test_results_come_in_the_order_of_the_calls(workers, calls):
    arguments = [(n, 2) for n in range(calls)]
    assert list(in_processes(pow, arguments, workers)) == [n**2 for n in range(calls)]


def test_much_data_goes_both_ways():
    """More than a pipe holds, at once."""
    calls = [(bytes([n]), 3_000_000) for n in range(4)]
    results = list(in_processes(operator.mul, calls, 2))
    assert results == [data * count for data, count in calls]


def call(function, *arguments):
    return function(*arguments)


class Peculiar(Exception):
    def __init__(self, one, two):
        super().__init__()


def mistake():
    raise DatasetError("a mistake")


def peculiar():
    raise Peculiar(1, 2)


@pytest.mark.parametrize(
    ("function", "error", "told"),
    [
        (mistake, DatasetError, "^a mistake"),
        (peculiar, RuntimeError, "Peculiar"),  # it cannot be sent
    ],
)
def test_an_error_ends_what_else_is_done_and_says_where_it_was(function, error, told):
    """Also of a later call: the first would take minutes."""
    calls = [(time.sleep, SECONDS), (function,), (time.sleep, SECONDS)]
    with pytest.raises(error, match=told) as raised:
        list(in_processes(call, calls, 2))
    text = "".join(getattr(raised.value, "__notes__", [str(raised.value)]))
    assert f"in {function.__name__}\n" in text


def test_a_process_that_dies_is_one_line():
    calls = [(time.sleep, SECONDS), (os._exit, 0)]
    with pytest.raises(JobError, match=r"^a worker process died; was there") as told:
        list(in_processes(call, calls, 2))
    assert "\n" not in str(told.value)


def test_a_process_that_dies_before_its_call():
    with pytest.raises(JobError, match="died"):
        list(in_processes(abs, [(b"x" * 3_000_000,), (1,)], 2, ends_before_all))


def ends_before_all():
    os._exit(3)


def test_nobody_wants_more_results():
    calls = [(abs, -1), (time.sleep, SECONDS)]
    results = in_processes(call, calls, 2)
    assert next(results) == 1
    results.close()


def test_a_process_does_not_hear_ctrl_c_but_may_listen():
    assert list(in_processes(signal.raise_signal, [(signal.SIGINT,)] * 2, 1)) == [None, None]
    with pytest.raises(RuntimeError, match="heard"):
        list(in_processes(listens, [()], 1))


def listens():
    def hear(*_):
        raise RuntimeError("heard")

    signal.signal(signal.SIGINT, hear)
    signal.raise_signal(signal.SIGINT)


def test_they_begin_together():
    barrier = multiprocessing.get_context("spawn").Barrier(2)
    assert list(in_processes(math.sqrt, [(4,), (9,)], 2, barrier.wait)) == [2, 3]
