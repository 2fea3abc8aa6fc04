"""The same bytes whatever the runner, the number of workers, or an interruption.

Real processes, through the command line.
"""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from preprocessing.verify import verify_dataset
from tests.preprocessing.pictures import write_archives

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PICTURES_PER_CLASS = 40
SHARDS = "train=12,validation=3"
LIMIT = 180  # seconds after which a hanging process fails its test


def command(source, output, *more):
    return [
        sys.executable,
        *("-m", "preprocessing", "convert", "--source", "ilsvrc2012"),
        *("--input", str(source), "--output", str(output)),
        *("--image-size", "64", "--shards", SHARDS, *map(str, more)),
    ]


def run(source, output, *more):
    """Converts in a process of its own; returns what it printed."""
    result = subprocess.run(
        command(source, output, *more), cwd=ROOT, capture_output=True, text=True, timeout=LIMIT
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_archives(tmp_path_factory.mktemp("in"), PICTURES_PER_CLASS, 30)


@pytest.fixture(scope="module")
def expected(source, tmp_path_factory):
    """Files of the dataset, made by one worker in memory."""
    output = tmp_path_factory.mktemp("in_memory") / "out"
    printed = run(source, output, "--direct_running_mode", "in_memory")
    assert "images 150" in printed
    assert verify_dataset(str(output), workers=0) == []
    return tree(output)


@pytest.mark.parametrize("mode", ["multi_processing", "multi_threading"])
@pytest.mark.parametrize("workers", [1, 3])
def test_direct_runner(source, expected, tmp_path, mode, workers):
    printed = run(source, tmp_path / "out", "--direct_running_mode", mode, "--workers", workers)
    assert "images 150" in printed
    assert tree(tmp_path / "out") == expected


@contextmanager
def service(*arguments, cwd=ROOT, **environment):
    """A program that serves until the block ends."""
    # Beam's worker pool starts whatever is called "python".
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))
    process = subprocess.Popen(
        arguments,
        cwd=cwd,
        env={**os.environ, "PATH": path, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def job_service(folder):
    """Beam's portable job service; yields its address."""
    port = folder / "port"
    module = "apache_beam.runners.portability.local_job_service_main"
    with service(
        sys.executable, "-m", module, "--port_file", str(port), "--staging_dir", str(folder)
    ):
        yield f"localhost:{wait_for(port)}"


def wait_for(path):
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if path.exists() and path.read_text().strip():
            return path.read_text().strip()
        time.sleep(0.1)
    raise TimeoutError(path)


def test_portable_runner_with_workers_in_this_process(source, expected, tmp_path):
    with job_service(tmp_path) as address:
        portable = ["--runner", "PortableRunner", "--job_endpoint", address]
        printed = run(source, tmp_path / "out", *portable, "--environment_type", "LOOPBACK")
    assert "images 150" in printed
    assert tree(tmp_path / "out") == expected


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the packages as a cluster worker gets them: from the sdist of setup.py."""
    checkout, folder = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("installed")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    for name in ("preprocessing", "alexnet_tf"):
        shutil.copytree(ROOT / name, checkout / name)
    quietly = {"check": True, "capture_output": True, "timeout": LIMIT}
    # As Beam does for --setup_file.
    subprocess.run([sys.executable, "setup.py", "sdist"], cwd=checkout, **quietly)
    (sdist,) = (checkout / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.py", "pyproject.toml", "README.md", "LICENSE"} <= names
    pip = [sys.executable, *("-m", "pip", "install", "--no-deps", "--no-build-isolation")]
    subprocess.run([*pip, "--target", str(folder), str(sdist)], **quietly)
    shutil.rmtree(checkout)
    return folder


def test_a_worker_without_the_checkout(source, expected, installed, tmp_path):
    """A worker elsewhere has nothing but what setup.py installs; it runs what the job sends it."""
    found = subprocess.run(
        [sys.executable, "-c", "import preprocessing.pipeline as p; print(p.__file__)"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert Path(found.stdout.strip()) == installed / "preprocessing" / "pipeline.py"
    pool = "apache_beam.runners.worker.worker_pool_main"
    port = 50_000 + os.getpid() % 10_000
    with (
        service(
            *(sys.executable, "-m", pool, "--service_port", str(port)),
            cwd=tmp_path,
            PYTHONPATH=str(installed),
        ),
        job_service(tmp_path) as address,
    ):
        portable = ["--runner", "PortableRunner", "--job_endpoint", address]
        external = ["--environment_type", "EXTERNAL", "--environment_config", f"localhost:{port}"]
        printed = run(source, tmp_path / "out", *portable, *external)
    assert "images 150" in printed
    assert tree(tmp_path / "out") == expected


@pytest.mark.skipif(not shutil.which("prism"), reason="Beam's prism is not on the PATH")
def test_prism_runner(source, expected, tmp_path):
    prism = ["--runner", "PrismRunner", "--prism_location", shutil.which("prism")]
    run(source, tmp_path / "out", *prism, "--environment_type", "LOOPBACK")
    assert tree(tmp_path / "out") == expected


@pytest.mark.parametrize("finished", [1, 5, 14])
def test_killed_and_resumed(source, expected, tmp_path, finished):
    """kill -9 of the job as soon as some shards are finished; then the same command."""
    output = tmp_path / "out"
    with open(tmp_path / "log", "w") as log:
        job = subprocess.Popen(
            command(source, output, "--workers", "2"), cwd=ROOT, stdout=log, stderr=log
        )
    results = output / ".conversion" / "results"
    while job.poll() is None and len(list(results.glob("*.json"))) < finished:
        time.sleep(0.01)
    job.kill()
    assert job.wait() == -signal.SIGKILL, (tmp_path / "log").read_text()[-4000:]
    assert not (output / "dataset_info.json").exists()
    printed = run(source, output, "--workers", "2")
    kept = int(printed.split("shards kept ")[1].split()[0].rstrip(","))
    assert kept >= finished
    assert tree(output) == expected


def test_a_worker_that_dies_ends_the_job_with_one_line(source, expected, tmp_path):
    output = tmp_path / "out"
    job = subprocess.Popen(
        command(source, output, "--workers", "2"), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    pids, results = output / ".conversion" / "workers.pid", output / ".conversion" / "results"
    while job.poll() is None and not list(results.glob("*.json")):
        time.sleep(0.01)
    os.kill(int(pids.read_text().split()[0]), signal.SIGKILL)
    error = job.communicate(timeout=LIMIT)[1]
    assert job.returncode == 1
    assert "a worker process died" in error.splitlines()[-1]
    run(source, output)
    assert tree(output) == expected


def test_ctrl_c(source, expected, tmp_path):
    output = tmp_path / "out"
    job = subprocess.Popen(
        command(source, output, "--workers", "2"), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    results = output / ".conversion" / "results"
    while job.poll() is None and not list(results.glob("*.json")):
        time.sleep(0.01)
    job.send_signal(signal.SIGINT)
    error = job.communicate(timeout=LIMIT)[1]
    assert job.returncode == 130
    assert "the same command goes on from here" in error
    run(source, output)
    assert tree(output) == expected


def test_two_conversions_at_once(source, tmp_path):
    output = tmp_path / "out"
    job = subprocess.Popen(command(source, output), cwd=ROOT, stdout=subprocess.DEVNULL)
    while job.poll() is None and not (output / ".conversion" / "job.json").exists():
        time.sleep(0.01)
    second = subprocess.run(command(source, output), cwd=ROOT, capture_output=True, text=True)
    assert second.returncode == 2
    assert "another conversion is writing" in second.stderr
    assert job.wait(LIMIT) == 0
    assert verify_dataset(str(output), workers=0) == []
