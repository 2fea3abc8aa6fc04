"""The job on Apache Flink: its own small cluster, one of several machines' worth, and kills.

Needs Java 17, and Maven for the jars (once, kept in .flink); skipped, saying why, without them.
`make flink-test` runs this file alone and shows what Flink logged.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.preprocessing.drawn_images import write_archives
from tests.preprocessing.job.flink_cluster import Cluster
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

pytestmark = pytest.mark.slow

POM = "preprocessing/job/flink/pom.xml"


@pytest.fixture(scope="module")
def build() -> Path:
    """The folder of the job server and its jars: FLINK_BUILD's, or .flink, made once by Maven."""
    for program in ("java", "mvn"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not on the PATH; Flink needs Java 17 and Maven")
    folder = Path(os.environ.get("FLINK_BUILD") or ROOT / ".flink")
    if not (folder / "flink-job-server.jar").is_file():
        maven = ["mvn", "-q", "-B", "-f", POM, "package", f"-DbuildDirectory={folder}"]
        done = subprocess.run(maven, cwd=ROOT, capture_output=True, text=True, timeout=1200)
        if done.returncode:
            reason = (done.stdout.strip().splitlines() or ["it says nothing"])[0]
            pytest.skip(f"Maven cannot fetch Beam's runner for Flink: {reason}")
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_archives(tmp_path_factory.mktemp("in"), *IMAGES)


@pytest.fixture(scope="module")
def expected(source, tmp_path_factory) -> str:
    """Digest of the dataset that local processes make."""
    output = tmp_path_factory.mktemp("local") / "out"
    run(source, output)
    print(f"bytes made by local processes: {digest(output)}")
    return digest(output)


@pytest.fixture(scope="module")
def cluster(build, tmp_path_factory):
    """A job takes two of three TaskManagers: one may be lost."""
    with Cluster(build, tmp_path_factory.mktemp("flink") / "cluster", task_managers=3) as cluster:
        yield cluster


def show(cluster: Cluster, name: str, *words: str) -> None:
    """Prints the lines of a log that tell what happened."""
    lines = [line for line in cluster.log(name).splitlines() if any(word in line for word in words)]
    print(*(f"{name}: {line[:240]}" for line in lines[-12:]), sep="\n")


def test_a_cluster_of_its_own(source, expected, build, tmp_path):
    """FlinkRunner starts the job server by itself, which brings a Flink along."""
    server = ("--flink_job_server_jar", build / "flink-job-server.jar", "--flink_version", "1.19")
    options = ("--runner", "FlinkRunner", *server, "--environment_type", "LOOPBACK")
    printed = run(source, tmp_path / "out", *options, "--parallelism", 2)
    assert f"images {TOTAL:,}" in printed
    assert digest(tmp_path / "out") == expected


def test_a_standalone_cluster(source, expected, cluster, tmp_path):
    printed = run(source, tmp_path / "out", *cluster.options)
    show(cluster, "jobmanager", "switched from state", "Registering TaskManager")
    assert f"images {TOTAL:,}" in printed
    assert f"shards made {SHARDS}" in printed
    print(f"bytes made by Flink: {digest(tmp_path / 'out')}")
    assert digest(tmp_path / "out") == expected


def test_the_driver_is_killed(source, expected, cluster, tmp_path):
    output = tmp_path / "out"
    job = start(source, output, tmp_path / "log", *cluster.options)
    until_some_shards(job, output)
    job.kill()
    assert job.wait(LIMIT) == -signal.SIGKILL
    assert not (output / "dataset_info.json").exists()
    assert "shards kept" in run(source, output, *cluster.options)
    assert digest(output) == expected


def test_a_task_manager_is_killed_with_its_worker(source, expected, cluster, tmp_path):
    """kill -9 of both in mid-job: the job goes on with the spare one."""
    output, log = tmp_path / "out", tmp_path / "log"
    job = start(source, output, log, *cluster.options)
    until_some_shards(job, output)
    managers = [name for name in cluster.processes if name.startswith("tm")]
    lost = next(name for name in managers if cluster.workers_of(name))
    cluster.kill_with_its_worker(lost)
    assert made(output) < SHARDS, "it was killed too late to matter"
    assert job.wait(LIMIT) == 0, log.read_text()[-4000:]
    show(cluster, "jobmanager", "no longer reachable", "switched from state")
    assert "to RESTARTING" in cluster.log("jobmanager")
    assert f"images {TOTAL:,}" in log.read_text()  # each once, though some were made twice
    assert digest(output) == expected
