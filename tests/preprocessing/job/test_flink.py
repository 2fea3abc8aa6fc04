"""The job on Apache Flink: its own small cluster, one of several machines' worth, and kills.

Needs Java 17, and Maven for the jars (once, kept in .flink); skipped, saying why, without them.
`make flink-test` runs this file alone and shows what Flink logged.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.preprocessing.drawn_images import write_archives
from tests.preprocessing.job.flink_cluster import ROOT, Cluster

pytestmark = pytest.mark.slow

IMAGES = (330, 30)  # of each of three classes; of the validation split
TOTAL = 3 * IMAGES[0] + IMAGES[1]
SHARDS = 15
LIMIT = 400  # seconds after which a job that hangs fails its test
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


def command(source, output, *more):
    return [
        sys.executable,
        *("-m", "preprocessing", "convert", "--source", "ilsvrc2012"),
        *("--input", str(source), "--output", str(output), "--image-size", "64"),
        *("--shards", "train=12,validation=3", *map(str, more)),
    ]


def run(source, output, *more):
    done = subprocess.run(
        command(source, output, *more), cwd=ROOT, capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def digest(folder: Path) -> str:
    """SHA-256 of all names and bytes of a dataset."""
    content = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return content.hexdigest()


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


def results(output: Path) -> int:
    return len(list((output / ".conversion" / "results").glob("*.json")))


def until_some_shards(job: subprocess.Popen, output: Path) -> None:
    """Returns when some of a job's shards are made, and some are not."""
    end = time.monotonic() + LIMIT
    while not results(output):
        assert job.poll() is None, "the job ended before it had made a shard"
        assert time.monotonic() < end, "the job makes no shard"
        time.sleep(0.005)


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
    job = subprocess.Popen(
        command(source, output, *cluster.options),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until_some_shards(job, output)
    job.kill()
    assert job.wait(LIMIT) == -signal.SIGKILL
    assert not (output / "dataset_info.json").exists()
    assert "shards kept" in run(source, output, *cluster.options)
    assert digest(output) == expected


def test_a_task_manager_is_killed_with_its_worker(source, expected, cluster, tmp_path):
    """kill -9 of both in mid-job: the job goes on with the spare one."""
    output, log = tmp_path / "out", tmp_path / "log"
    with open(log, "w") as file:
        job = subprocess.Popen(
            command(source, output, *cluster.options), cwd=ROOT, stdout=file, stderr=file
        )
    until_some_shards(job, output)
    managers = [name for name in cluster.processes if name.startswith("tm")]
    lost = next(name for name in managers if cluster.workers_of(name))
    cluster.kill_with_its_worker(lost)
    assert results(output) < SHARDS, "it was killed too late to matter"
    assert job.wait(LIMIT) == 0, log.read_text()[-4000:]
    show(cluster, "jobmanager", "TaskManager", "RESTARTING", "RUNNING to", "FINISHED")
    assert "to RESTARTING" in cluster.log("jobmanager")
    assert digest(output) == expected
