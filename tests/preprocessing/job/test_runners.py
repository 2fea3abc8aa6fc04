"""The same bytes whatever the runner, the number of workers, or an interruption.

Real processes, through the command line.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from preprocessing.inspection.verify import verify_dataset
from preprocessing.job.local_workers import WORKER_PACKAGE
from tests.deadlines import wait_until
from tests.preprocessing.drawn_images import write_archives

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
IMAGES_PER_CLASS = 40
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


def children_of(pid):
    """Ids of the worker processes of a conversion."""
    listed = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for text in listed for child in text.split()]


def results(output):
    """Of the shards that are finished."""
    return list(output.glob(".conversion/*/results/*.json"))


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_archives(tmp_path_factory.mktemp("in"), IMAGES_PER_CLASS, 30)


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
def service(*arguments, cwd=ROOT, output=subprocess.DEVNULL, **environment):
    """A program that serves until the block ends."""
    # Beam's worker pool starts whatever is called "python".
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))
    process = subprocess.Popen(
        arguments,
        cwd=cwd,
        env={**os.environ, "PATH": path, **environment},
        stdout=output,
        stderr=output,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(LIMIT)


def free_port():
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


@contextmanager
def job_server(arguments, port, log=subprocess.DEVNULL):
    """A job server that serves until the block ends; yields Beam's options for it."""
    with service(*arguments, output=log) as process:
        end = time.monotonic() + LIMIT
        while True:
            assert process.poll() is None, "the job server ended by itself"
            assert time.monotonic() < end, "the job server does not answer"
            with suppress(OSError), socket.create_connection(("localhost", port), 5):
                break
            time.sleep(0.1)
        yield ["--runner", "PortableRunner", "--job_endpoint", f"localhost:{port}"]


def beam_job_service(port, folder):
    """Beam's own job server, in Python."""
    module = "apache_beam.runners.portability.local_job_service_main"
    return [sys.executable, "-m", module, "--port", str(port), "--staging_dir", str(folder)]


def prism(port, folder):
    """Beam's job server in Go."""
    return [program("prism"), "-job_port", str(port), "-serve_http=false"]


def program(name):
    return shutil.which(name) or pytest.skip(f"{name} is not on the PATH")


SETUP_THAT_NOTES_FOR_WHOM = f"""
import os, pathlib, setuptools
pathlib.Path("for").write_text(os.environ["{WORKER_PACKAGE}"])
setuptools.setup(name="package")
"""


@pytest.mark.parametrize("server", [beam_job_service, prism])
def test_job_server_with_workers_in_this_process(source, expected, tmp_path, server):
    """One path for every job server."""
    port, setup = free_port(), tmp_path / "package" / "setup.py"
    setup.parent.mkdir()
    setup.write_text(SETUP_THAT_NOTES_FOR_WHOM)
    arguments = server(port, tmp_path)
    with (
        open(tmp_path / "log", "w+") as log,
        job_server(arguments, port, log) as portable,
    ):
        try:
            more = ["--environment_type", "LOOPBACK", "--setup_file", setup]
            run(source, tmp_path / "out", *portable, *more)
        finally:
            print((tmp_path / "log").read_text())  # `make flink-test` shows it
    assert tree(tmp_path / "out") == expected
    assert (setup.parent / "for").read_text() == "1"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the package as a cluster worker gets it: from what --setup_file packs."""
    checkout, folder = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("installed")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    for name in ("preprocessing", "alexnet_tf", "configs"):
        shutil.copytree(ROOT / name, checkout / name)
    quietly = {"check": True, "capture_output": True, "timeout": LIMIT}
    # As Beam does for --setup_file, while `convert` sets ALEXNET_TF_WORKER.
    packed = {"alexnet_tf": {}, "alexnet_tf_worker": {WORKER_PACKAGE: "1"}}
    for environment in packed.values():
        setup = [sys.executable, "setup.py", "sdist"]
        subprocess.run(setup, cwd=checkout, env={**os.environ, **environment}, **quietly)
    for package in packed:
        with tarfile.open(checkout / "dist" / f"{package}-0.1.0.tar.gz") as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        assert {"setup.py", "pyproject.toml", "README.md", "LICENSE"} <= names
        assert ("alexnet_tf/train.py" in names) == (package == "alexnet_tf")
    pip = [sys.executable, *("-m", "pip", "install", "--no-deps", "--no-build-isolation")]
    subprocess.run([*pip, "--target", str(folder), str(archive.name)], **quietly)
    shutil.rmtree(checkout)
    assert not (folder / "alexnet_tf").exists()
    (metadata,) = folder.glob("*.dist-info/METADATA")
    needed = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", metadata.read_text(), re.MULTILINE)
    assert sorted(needed) == ["google-crc32c", "numpy", "pillow", "protobuf", "scipy", "tqdm"]
    return folder


def test_a_worker_without_the_checkout(source, expected, installed, tmp_path):
    """A worker elsewhere has nothing but what setup.py installs; it runs what the job sends it."""
    found = subprocess.run(
        [sys.executable, "-c", "import preprocessing.job.convert as p; print(p.__file__)"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert Path(found.stdout.strip()) == installed / "preprocessing" / "job" / "convert.py"
    assert not (installed / "preprocessing" / "sample").exists()
    pool = "apache_beam.runners.worker.worker_pool_main"
    port, job_port = free_port(), free_port()
    with (
        service(
            *(sys.executable, "-m", pool, "--service_port", str(port)),
            cwd=tmp_path,
            PYTHONPATH=str(installed),
        ),
        job_server(beam_job_service(job_port, tmp_path), job_port) as portable,
    ):
        external = ["--environment_type", "EXTERNAL", "--environment_config", f"localhost:{port}"]
        printed = run(source, tmp_path / "out", *portable, *external)
    assert "images 150" in printed
    assert tree(tmp_path / "out") == expected


@pytest.mark.skipif(not shutil.which("prism"), reason="Beam's prism is not on the PATH")
def test_prism_runner(source, expected, tmp_path):
    runner = ["--runner", "PrismRunner", "--prism_location", shutil.which("prism")]
    run(source, tmp_path / "out", *runner, "--environment_type", "LOOPBACK")
    assert tree(tmp_path / "out") == expected


@pytest.mark.parametrize("finished", [1, 5, 14])
def test_killed_and_resumed(source, expected, tmp_path, finished):
    """kill -9 of the job as soon as some shards are finished; then the same command."""
    output = tmp_path / "out"
    with open(tmp_path / "log", "w") as log:
        job = subprocess.Popen(
            command(source, output, "--workers", "2"), cwd=ROOT, stdout=log, stderr=log
        )
    wait_until(lambda: len(results(output)) >= finished, job, LIMIT)
    job.kill()
    assert job.wait(LIMIT) == -signal.SIGKILL, (tmp_path / "log").read_text()[-4000:]
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
    wait_until(lambda: results(output), job, LIMIT)
    os.kill(children_of(job.pid)[0], signal.SIGKILL)
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
    wait_until(lambda: results(output), job, LIMIT)
    job.send_signal(signal.SIGINT)
    error = job.communicate(timeout=LIMIT)[1]
    assert job.returncode == 130
    assert "the same command goes on from here" in error
    run(source, output)
    assert tree(output) == expected


def test_two_conversions_at_once(source, tmp_path):
    output = tmp_path / "out"
    job = subprocess.Popen(command(source, output), cwd=ROOT, stdout=subprocess.DEVNULL)
    wait_until(lambda: any(output.glob(".conversion/*/job.json")), job, LIMIT)
    second = subprocess.run(
        command(source, output), cwd=ROOT, capture_output=True, text=True, timeout=LIMIT
    )
    assert second.returncode == 2
    assert "another conversion is writing" in second.stderr
    assert job.wait(LIMIT) == 0
    assert verify_dataset(str(output), workers=0) == []
