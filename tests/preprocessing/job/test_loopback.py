"""Who can reach a conversion from outside: nobody, and no files are given out on the inside."""

import contextlib
import glob
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from apache_beam.portability.api import (
    beam_artifact_api_pb2,
    beam_artifact_api_pb2_grpc,
    beam_runner_api_pb2,
)
from apache_beam.portability.common_urns import artifact_types
from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    GrpcServer,
    StateServicer,
)

from preprocessing.job.local_workers import WORKER
from preprocessing.job.loopback import only_on_loopback
from tests.preprocessing.drawn_images import write_archives

ROOT = Path(__file__).parents[3]
LIMIT = 120
LISTENING = "0A"  # the state, in /proc/net/tcp
LOOPBACK = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/net")


def listening(pids):
    """(address, port) in hexadecimal digits of each socket that these processes listen on."""
    inodes = set()
    for pid in pids:
        for path in glob.glob(f"/proc/{pid}/fd/*"):
            with contextlib.suppress(OSError):
                inodes.add(os.readlink(path))
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and f"socket:[{fields[9]}]" in inodes:
                    found.add(tuple(fields[1].split(":")))
    return found


def family(pid):
    """A process and all that it has started."""
    pids = [pid]
    for parent in pids:  # grows meanwhile
        with contextlib.suppress(OSError):
            for listed in Path(f"/proc/{parent}/task").glob("*/children"):  # of each thread
                pids += [int(child) for child in listed.read_text().split()]
    return pids


def is_worker(pid):
    """Whether a process runs Beam's worker, rather than a shell or another program."""
    with contextlib.suppress(OSError):
        program, *arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        return "python" in Path(program).name and WORKER in arguments
    return False


def test_a_port_that_is_open_to_others_is_seen():
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("[::]:0")
    server.start()
    try:
        found = {address for address, number in listening([os.getpid()]) if int(number, 16) == port}
        assert len(found) == 1
        assert not found & set(LOOPBACK)
    finally:
        server.stop(0).wait(LIMIT)


@pytest.mark.parametrize("mode", ["multi_processing", "multi_threading"])
def test_a_conversion_opens_no_port_to_others(tmp_path, mode):
    source = write_archives(tmp_path / "in", 40, 20)
    command = [sys.executable, "-m", "preprocessing", "convert", "--source", "ilsvrc2012"]
    folders = ["--input", str(source), "--output", str(tmp_path / "out")]
    options = ["--shards", "train=12", "--workers", "2", "--direct_running_mode", mode]
    job = subprocess.Popen([*command, *folders, *options], cwd=ROOT, stdout=subprocess.PIPE)
    seen, workers, end = set(), set(), time.monotonic() + LIMIT
    while job.poll() is None:
        assert time.monotonic() < end, "the conversion does not end"
        pids = family(job.pid)
        workers |= {pid for pid in pids if is_worker(pid)}
        seen |= listening(pids)
        time.sleep(0.02)
    assert job.returncode == 0
    assert b"images 140" in job.communicate(timeout=LIMIT)[0]
    if mode == "multi_processing":
        assert len(workers) >= 2  # and perhaps a fork of one that has still to become a program
    else:
        assert not workers
    assert len({port for _, port in seen}) >= 4  # control, data, state and logs
    assert {address for address, _ in seen} <= set(LOOPBACK)


def fetch(port, path):
    """Asks Beam's artifact service for a file, as anybody may who reaches the port."""
    artifact = beam_runner_api_pb2.ArtifactInformation(
        type_urn=artifact_types.FILE.urn,
        type_payload=beam_runner_api_pb2.ArtifactFilePayload(path=str(path)).SerializeToString(),
    )
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        stub = beam_artifact_api_pb2_grpc.ArtifactRetrievalServiceStub(channel)
        request = beam_artifact_api_pb2.GetArtifactRequest(artifact=artifact)
        return b"".join(part.data for part in stub.GetArtifact(request, timeout=LIMIT))


def beam_server():
    return GrpcServer(StateServicer(), ExtendedProvisionInfo(), None)


def test_no_files_are_given_out(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"my own")
    secret.chmod(0o600)
    open_to_all = beam_server()
    try:  # what Beam does by itself; if that changes, the guard may go
        assert fetch(open_to_all.control_port, secret) == b"my own"
    finally:
        open_to_all.close()
    with only_on_loopback():
        guarded = beam_server()
    try:
        with pytest.raises(grpc.RpcError) as refused:
            fetch(guarded.control_port, secret)
        assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
        ports = (guarded.control_port, guarded.data_port, guarded.state_port, guarded.logging_port)
        found = {(a, int(p, 16)) for a, p in listening([os.getpid()]) if int(p, 16) in ports}
        assert {port for _, port in found} == set(ports)
        assert {address for address, _ in found} <= set(LOOPBACK)
    finally:
        guarded.close()


def test_the_guard_is_taken_away_again():
    before = grpc.server
    with only_on_loopback():
        assert grpc.server is not before
    assert grpc.server is before
