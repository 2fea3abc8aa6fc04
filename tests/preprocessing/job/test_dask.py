"""The job on Dask: a scheduler and two workers on this machine, and one of them killed."""

import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from preprocessing.job.runners import beam_options
from tests.preprocessing.drawn_images import write_archives
from tests.preprocessing.job.flink_cluster import free_port, wait_for_end
from tests.preprocessing.job.whole_jobs import (
    IMAGES,
    LIMIT,
    ROOT,
    SHARDS,
    TOTAL,
    digest,
    made,
    run,
    start,
    until_some_shards,
)

RUNNER = "apache_beam.runners.dask.dask_runner.DaskRunner"


@pytest.mark.parametrize(
    ("given", "size", "partitions"),
    [([], 1, None), (["--dask_partition_size", "4"], 4, None), (["--dask_npartitions=7"], None, 7)],
)
def test_each_shard_is_a_task_of_its_own_unless_told_otherwise(given, size, partitions):
    dask = pytest.importorskip("apache_beam.runners.dask.dask_runner")
    pytest.importorskip("distributed")
    options = beam_options(["--runner", RUNNER, *given]).view_as(dask.DaskOptions)
    assert (options.partition_size, options.npartitions) == (size, partitions)


@dataclass
class Cluster:
    address: str
    workers: list[subprocess.Popen]
    log: Path

    @property
    def options(self) -> list[str]:
        return ["--runner", RUNNER, "--dask_client_address", self.address]


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers of one thread, on loopback."""
    pytest.importorskip("distributed")
    log = tmp_path / "cluster.log"
    address = f"tcp://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        file = stack.enter_context(log.open("w"))

        def serve(module: str, *arguments: str) -> subprocess.Popen:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
                cwd=ROOT,
                stdout=file,
                stderr=file,
            )
            stack.callback(wait_for_end, process)
            return process

        port = address.rpartition(":")[2]
        serve("dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        kept = ("--no-nanny", "--no-dashboard", "--nthreads", "1", "--host", "127.0.0.1")
        place = ("--local-directory", str(tmp_path / "workers"))
        workers = [serve("dask_worker", address, *kept, *place) for _ in range(2)]
        end = time.monotonic() + 120
        while log.read_text().count("Registered to:") < 2:
            assert time.monotonic() < end, f"the cluster does not come up: {log.read_text()}"
            time.sleep(0.2)
        yield Cluster(address, workers, log)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_archives(tmp_path_factory.mktemp("in"), *IMAGES)


@pytest.fixture(scope="module")
def expected(source, tmp_path_factory):
    output = tmp_path_factory.mktemp("local") / "out"
    run(source, output)
    return digest(output)


@pytest.mark.slow
def test_two_workers(source, expected, cluster, tmp_path):
    printed = run(source, tmp_path / "out", *cluster.options)
    assert f"images {TOTAL:,}" in printed
    assert f"shards made {SHARDS}" in printed
    print(f"bytes made by Dask: {digest(tmp_path / 'out')}")
    assert digest(tmp_path / "out") == expected


@pytest.mark.slow
def test_a_worker_is_killed(source, expected, cluster, tmp_path):
    output, log = tmp_path / "out", tmp_path / "log"
    job = start(source, output, log, *cluster.options)
    until_some_shards(job, output)
    cluster.workers[0].kill()
    assert made(output) < SHARDS, "it was killed too late to matter"
    assert job.wait(LIMIT) == 0, log.read_text()[-4000:]
    assert f"images {TOTAL:,}" in log.read_text()
    assert digest(output) == expected
