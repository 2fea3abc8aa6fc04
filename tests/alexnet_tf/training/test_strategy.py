"""Which worker a process is, and mistakes about devices: one line that says what is valid."""

import json
import socket
import subprocess
import sys

import pytest

from alexnet_tf.config.schema import StrategyConfig
from alexnet_tf.errors import ConfigError
from alexnet_tf.training import strategy

MULTI = StrategyConfig(name="multi-worker")


def environment(jobs: dict, kind: str, index: int) -> dict[str, str]:
    task = {"type": kind, "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": jobs, "task": task})}


@pytest.mark.parametrize("name", ["one-device", "mirrored"])
def test_other_strategies_do_not_read_tf_config(name):
    found = strategy.cluster(StrategyConfig(name=name), {"TF_CONFIG": "broken"})
    assert (found.workers, found.worker, found.is_chief) == (1, 0, True)


@pytest.mark.parametrize(
    ("jobs", "task", "worker"),
    [
        ({"worker": ["a:1", "b:1", "c:1"]}, ("worker", 0), 0),
        ({"worker": ["a:1", "b:1", "c:1"]}, ("worker", 2), 2),
        ({"chief": ["a:1"], "worker": ["b:1", "c:1"]}, ("chief", 0), 0),
        ({"chief": ["a:1"], "worker": ["b:1", "c:1"]}, ("worker", 0), 1),
        ({"chief": ["a:1"], "worker": ["b:1", "c:1"]}, ("worker", 1), 2),
    ],
)
def test_workers_are_numbered_from_the_chief(jobs, task, worker):
    found = strategy.cluster(MULTI, environment(jobs, *task))
    assert (found.workers, found.worker, found.is_chief) == (3, worker, worker == 0)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"cluster": {"worker": ["a:1"]}}', '{"cluster": 1, "task": 2}']
)
def test_no_usable_tf_config_is_told_with_an_example(text):
    with pytest.raises(ConfigError, match=r'expects TF_CONFIG .* such as \{"cluster"'):
        strategy.cluster(MULTI, {"TF_CONFIG": text})


@pytest.mark.parametrize(
    ("jobs", "task", "message"),
    [
        ({"ps": ["a:1"], "worker": ["b:1"]}, ("worker", 0), "received 1 ps, 1 worker"),
        ({"chief": ["a:1", "b:1"]}, ("chief", 0), "at most one 'chief'"),
        ({"worker": ["a:1"]}, ("worker", 1), "received worker 1"),
        ({"worker": ["a:1"]}, ("worker", -1), "received worker -1"),
        ({"worker": ["a:1"]}, ("chief", 0), "received chief 0"),
    ],
)
def test_a_task_outside_the_cluster_is_refused(jobs, task, message):
    with pytest.raises(ConfigError, match=message):
        strategy.cluster(MULTI, environment(jobs, *task))


@pytest.mark.parametrize("name", ["one-device", "mirrored"])
def test_a_pair_needs_two_devices(name, monkeypatch):
    monkeypatch.setattr(strategy, "_local_devices", lambda: ("GPU", 1))
    with pytest.raises(ConfigError, match="expects 2 devices, received 1 GPU"):
        strategy.create(StrategyConfig(name=name, placement="two-tower"))


@pytest.mark.parametrize(
    ("name", "placement", "gpus", "firsts", "seconds"),
    [
        ("one-device", "single", 4, [0], None),
        ("one-device", "two-tower", 4, [0], [1]),
        ("mirrored", "single", 3, [0, 1, 2], None),
        ("mirrored", "two-tower", 2, [0], [1]),
        ("mirrored", "two-tower", 4, [0, 1], [2, 3]),
        ("mirrored", "two-tower", 5, [0, 1], [2, 3]),  # an odd one is left over
    ],
)
def test_gpus_are_dealt_to_replicas_and_towers(name, placement, gpus, firsts, seconds, monkeypatch):
    """There are none here: what the strategy would be asked for."""
    asked = []
    monkeypatch.setattr(strategy, "_local_devices", lambda: ("GPU", gpus))
    monkeypatch.setattr(strategy.tf.distribute, "MirroredStrategy", asked.append)
    made = strategy.create(StrategyConfig(name=name, placement=placement))
    host = "/job:localhost/replica:0/task:0/device:GPU:"
    assert asked == [[f"{host}{i}" for i in firsts]]
    expected = seconds and tuple(
        (f"{host}{a}", f"{host}{b}") for a, b in zip(firsts, seconds, strict=True)
    )
    assert made.pairs == expected


@pytest.mark.parametrize(
    ("placement", "gpus", "replicas"),
    [("single", 4, 4), ("two-tower", 4, 2), ("two-tower", 2, 1), ("single", 1, 1)],
)
def test_a_workers_gpus_become_replicas_or_pairs(placement, gpus, replicas, monkeypatch):
    asked = []
    monkeypatch.setattr(strategy, "_local_devices", lambda: ("GPU", gpus))
    monkeypatch.setattr(strategy.tf.distribute, "MultiWorkerMirroredStrategy", asked.append)
    jobs = {"worker": ["a:1", "b:1"]}
    settings = StrategyConfig(name="multi-worker", placement=placement)
    members = strategy.cluster(settings, environment(jobs, "worker", 1))
    made = strategy.create(settings, members)
    (resolver,) = asked
    assert resolver.num_accelerators() == {"GPU": replicas}
    assert (resolver.task_type, resolver.task_id) == ("worker", 1)
    assert resolver.cluster_spec().as_dict() == jobs
    host = "/job:worker/replica:0/task:1/device:GPU:"
    pairs = tuple((f"{host}{i}", f"{host}{i + replicas}") for i in range(replicas))
    assert made.pairs == (pairs if placement == "two-tower" else None)


@pytest.mark.parametrize(
    ("workers", "message"),
    [
        (["a:1", "a:1"], "expected each address once, received a:1 twice"),
        ("a:1", "expects TF_CONFIG"),
        (["a"], "expects TF_CONFIG"),
        (["a:0"], "expects TF_CONFIG"),
        (["a:99999"], "expects TF_CONFIG"),
        ([1, 2], "expects TF_CONFIG"),
        ([["a:1"]], "expects TF_CONFIG"),
        ({"a:1": 1}, "expects TF_CONFIG"),
    ],
)
def test_addresses_are_checked(workers, message):
    with pytest.raises(ConfigError, match=message):
        strategy.cluster(MULTI, environment({"worker": workers}, "worker", 0))


def test_a_port_that_is_in_use_is_told():
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"cannot listen at {address}.* in use"):
            strategy._check_port(address)
    strategy._check_port(address)


def test_what_is_not_over_in_time_ends_in_one_line():
    code = """
import time
from alexnet_tf.training.strategy import _deadline
with _deadline(60, "not this"):
    pass
with _deadline(0.1, "nobody came"):
    time.sleep(60)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=55, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "failed: nobody came"
