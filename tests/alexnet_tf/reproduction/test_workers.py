"""In which order trainings are handed out, how many at once, and on which cores."""

import os
import threading
from dataclasses import replace

import pytest

from alexnet_tf.errors import ConfigError, JobError
from alexnet_tf.reproduction.runs import Training
from alexnet_tf.reproduction.workers import outcomes, shares
from tests.deadlines import SECONDS

CORES = sorted(os.sched_getaffinity(0))
two_cores = pytest.mark.skipif(len(CORES) < 2, reason="two trainings at once need two cores")


def networks(count):
    return [Training("claim", "arm", "network", seed) for seed in range(1, count + 1)]


def ends(trainings, jobs, make):
    """(seed or "average", result or error) of each, in the order in which they ended."""
    found = []
    for training, future in outcomes(trainings, jobs, make, SECONDS):
        name = "average" if training.averaged else training.seed
        found.append((name, future.exception() or future.result()))
    return found


@two_cores
def test_as_many_at_once_as_jobs_each_on_its_own_cores():
    together, at_work, most = threading.Barrier(2), set(), []
    lock = threading.Lock()

    def make(training):
        with lock:
            at_work.add(training.seed)
            most.append(len(at_work))
        together.wait(SECONDS)  # breaks if there were not two at once
        with lock:
            at_work.remove(training.seed)
        return frozenset(os.sched_getaffinity(0))

    found = ends(networks(4), 2, make)
    assert sorted(seed for seed, _ in found) == [1, 2, 3, 4]
    assert max(most) == 2
    assert {cores for _, cores in found} == set(map(frozenset, shares(2)))
    assert sorted(os.sched_getaffinity(0)) == CORES


def test_one_after_the_other_on_all_cores():
    begun = []

    def make(training):
        begun.append(training.seed)
        return sorted(os.sched_getaffinity(0))

    assert ends(networks(3), 1, make) == [(seed, CORES) for seed in (1, 2, 3)]
    assert begun == [1, 2, 3]


@two_cores
def test_an_ensemble_waits_for_its_networks_and_others_do_not():
    first, second, third = networks(3)
    average = replace(first, identity="average", averaged=(first, second))
    begun, both = [], threading.Event()

    def make(training):
        begun.append("average" if training.averaged else training.seed)
        if training is third:
            both.set()
        if training is second:  # is still at work when the third begins
            assert both.wait(SECONDS)
        return None

    ends([first, second, average, third], 2, make)
    assert begun == [1, 2, 3, "average"]


def test_what_fails_is_told_and_the_others_go_on():
    error = JobError("the loss is not finite")

    def make(training):
        if training.seed == 1:
            raise error
        return training.seed

    assert ends(networks(3), 1, make) == [(1, error), (2, 2), (3, 3)]


def test_none_is_begun_after_the_end():
    begun = []
    results = outcomes(networks(3), 1, lambda training: begun.append(training.seed), SECONDS)
    next(results)
    results.close()
    assert begun == [1]


def test_time_passes():
    go = threading.Event()
    results = outcomes(networks(1), 1, lambda _: go.wait(SECONDS), 0.01)
    assert next(results) is None
    go.set()
    assert any(result is not None for result in results)


def test_cores_are_shared_out():
    for jobs in range(1, len(CORES) + 1):
        parts = shares(jobs)
        assert sorted(core for part in parts for core in part) == CORES
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    with pytest.raises(ConfigError, match=rf"at most {len(CORES)}, the cores, received 1000"):
        shares(1000)
