"""Which devices a run uses: tf.distribute's strategy, and pairs of devices for the towers.

One device, too, is driven by a MirroredStrategy (of one replica): it places variables and their
velocities where they belong, and leaves one code path.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import tensorflow as tf

from alexnet_tf.config.schema import StrategyConfig
from alexnet_tf.errors import ConfigError

WAIT_SECONDS = 600.0  # for the other workers of a run to be started
Pairs = tuple[tuple[str, str], ...]
EXAMPLE = '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}'


@dataclass(frozen=True)
class Cluster:
    """The workers' addresses by job ("chief", "worker"), and which of them this process is."""

    jobs: Mapping[str, tuple[str, ...]]
    job: str
    index: int

    @property
    def workers(self) -> int:
        return sum(len(addresses) for addresses in self.jobs.values())

    @property
    def worker(self) -> int:
        """This process's number; a chief comes first."""
        return self.index + (len(self.jobs.get("chief", ())) if self.job == "worker" else 0)

    @property
    def is_chief(self) -> bool:
        return self.worker == 0


ALONE = Cluster({"worker": ("localhost",)}, "worker", 0)


def cluster(config: StrategyConfig, environment: Mapping[str, str] = os.environ) -> Cluster:
    """Reads TF_CONFIG where the strategy is multi-worker. Raises ConfigError saying what is wrong.

    TensorFlow is not touched, so a process may ask this first.
    """
    if config.name != "multi-worker":
        return ALONE
    text = environment.get("TF_CONFIG", "")
    try:
        content = json.loads(text)
        jobs = {job: _addresses(hosts) for job, hosts in content["cluster"].items()}
        task = Cluster(jobs, content["task"]["type"], int(content["task"]["index"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"strategy.name: multi-worker expects TF_CONFIG in the environment, such as {EXAMPLE};"
            f" received {text[:200]!r}"
        ) from error
    if not set(jobs) <= {"chief", "worker"} or len(jobs.get("chief", ())) > 1:
        raise ConfigError(
            "TF_CONFIG: expected jobs 'worker' and at most one 'chief', received"
            f" {', '.join(f'{len(hosts)} {job}' for job, hosts in jobs.items())}"
        )
    if not 0 <= task.index < len(jobs.get(task.job, ())):
        raise ConfigError(
            f"TF_CONFIG: expected a task within the cluster, received {task.job} {task.index}"
        )
    twice = [host for host, count in Counter(itertools.chain(*jobs.values())).items() if count > 1]
    if twice:  # they would wait for each other for ever
        raise ConfigError(f"TF_CONFIG: expected each address once, received {twice[0]} twice")
    return task


def _addresses(hosts: object) -> tuple[str, ...]:
    """Raises ValueError for what is no list of HOST:PORT."""
    if not isinstance(hosts, list):
        raise ValueError(f"expected a list of addresses, received {hosts!r}")
    for host in hosts:
        name, _, port = host.rpartition(":") if isinstance(host, str) else ("", "", "")
        if not (name and port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
            raise ValueError(f"expected HOST:PORT, received {host!r}")
    return tuple(hosts)


@dataclass(frozen=True)
class Devices:
    """A strategy, the towers' device pairs (one a local replica; None: not split), the cluster."""

    strategy: tf.distribute.Strategy
    pairs: Pairs | None = None
    cluster: Cluster = ALONE

    @property
    def local_replicas(self) -> int:
        return self.strategy.num_replicas_in_sync // self.cluster.workers

    @property
    def kind(self) -> str:
        """ "GPU" or "CPU"."""
        device = self.strategy.extended.worker_devices[0]
        return tf.DeviceSpec.from_string(device).device_type


def create(config: StrategyConfig, members: Cluster = ALONE) -> Devices:
    """The devices of a run: the GPUs, or without any the (logical) CPUs.

    With two-tower placement replica i's tower a is on device i and its tower b on device n + i,
    where n is the number of replicas of this process. Raises ConfigError where there are too few
    devices. For several workers this must be the process's first use of TensorFlow's devices, and
    it waits until all of them have come.
    """
    kind, count = _local_devices()
    towers = 2 if config.placement == "two-tower" else 1
    if count < towers:
        raise ConfigError(
            f"strategy.placement: two-tower expects 2 devices, received {count} {kind}; set"
            " strategy.placement=single"
        )
    alone = config.name == "one-device" or (config.name == "multi-worker" and kind == "CPU")
    replicas = 1 if alone else count // towers
    if config.name == "multi-worker":
        strategy = _multi_worker(members, kind, replicas)
        host = f"/job:{members.job}/replica:0/task:{members.index}"
    else:
        host = "/job:localhost/replica:0/task:0"
        strategy = tf.distribute.MirroredStrategy(
            [f"{host}/device:{kind}:{i}" for i in range(replicas)]
        )
    pairs = tuple(
        (f"{host}/device:{kind}:{i}", f"{host}/device:{kind}:{replicas + i}")
        for i in range(replicas)
    )
    return Devices(strategy, pairs if towers == 2 else None, members)


def _multi_worker(members: Cluster, kind: str, replicas: int) -> tf.distribute.Strategy:
    own = members.jobs[members.job][members.index]
    _check_port(own)
    # Left alone, the strategy makes every GPU a replica; the number a resolver names is obeyed.
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({job: list(hosts) for job, hosts in members.jobs.items()}),
        task_type=members.job,
        task_id=members.index,
        num_accelerators={kind: replicas},
        rpc_layer="grpc",
    )
    missing = (
        f"not all of the {members.workers} workers of TF_CONFIG came within {WAIT_SECONDS:.0f} s;"
        " start all of them, and see that each reaches the others' addresses"
    )
    with _deadline(WAIT_SECONDS, missing):
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)


def _check_port(address: str) -> None:
    """Raises ConfigError where another process of this machine has the port."""
    port = int(address.rpartition(":")[2])
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("", port))
    except OSError as error:
        raise ConfigError(
            f"TF_CONFIG: cannot listen at {address}, this worker's own: {error.strerror}; end what"
            " has the port, or choose another"
        ) from error


@contextlib.contextmanager
def _deadline(seconds: float, line: str) -> Iterator[None]:
    """Ends the process with exit code 1 and this line if it is not over in time: TensorFlow waits
    where no exception reaches it.
    """

    def end() -> None:
        print(f"failed: {line}", file=sys.stderr, flush=True)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _local_devices() -> tuple[str, int]:
    """ "GPU" or "CPU", and how many; counted without starting TensorFlow's devices."""
    for kind in ("GPU", "CPU"):
        found = tf.config.list_physical_devices(kind)
        if found:
            parts = map(tf.config.get_logical_device_configuration, found)
            return kind, sum(len(part) if part else 1 for part in parts)
    return "CPU", 1
