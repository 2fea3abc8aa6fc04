"""A Flink cluster on this machine: a JobManager, TaskManagers of one slot, Beam's job server.

Everything listens on loopback alone. The jars are those that preprocessing/job/flink/pom.xml
gathers; no Flink distribution is needed.
"""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.preprocessing.job.whole_jobs import ROOT

DEADLINE = 120  # seconds for a program to come up

SETTINGS = {
    "jobmanager.rpc.address": "127.0.0.1",
    "jobmanager.bind-host": "127.0.0.1",
    "rest.address": "127.0.0.1",
    "rest.bind-address": "127.0.0.1",
    "taskmanager.host": "127.0.0.1",
    "taskmanager.bind-host": "127.0.0.1",
    "taskmanager.numberOfTaskSlots": "1",
    # What Flink's own scripts would work out.
    "taskmanager.cpu.cores": "1",
    "taskmanager.memory.task.heap.size": "192m",
    "taskmanager.memory.task.off-heap.size": "0",
    "taskmanager.memory.managed.size": "32m",
    "taskmanager.memory.network.min": "16m",
    "taskmanager.memory.network.max": "16m",
    "taskmanager.memory.framework.heap.size": "64m",
    "taskmanager.memory.framework.off-heap.size": "32m",
    "taskmanager.memory.jvm-metaspace.size": "128m",
    "taskmanager.memory.jvm-overhead.min": "32m",
    "taskmanager.memory.jvm-overhead.max": "32m",
    # A lost TaskManager is known soon, and its part of the job runs again on the spare slot.
    "heartbeat.interval": "1000",
    "heartbeat.timeout": "5000",
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "3",
    "restart-strategy.fixed-delay.delay": "1 s",
    # Beam and Flink share jars here: nothing may be loaded twice.
    "classloader.resolve-order": "parent-first",
}
OPENED = ("lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "text", "time", "util")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Cluster:
    """Running from `with` to its end; `options` are convert's, to give the job to it."""

    def __init__(self, build: Path, folder: Path, task_managers: int):
        self.build, self.folder, self.task_managers = build, folder, task_managers
        self.conf = folder / "conf"
        self.rest, self.job_port = free_port(), free_port()
        self.processes: dict[str, subprocess.Popen] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Cluster":
        settings = {
            **SETTINGS,
            "jobmanager.rpc.port": free_port(),
            "rest.port": self.rest,
            "io.tmp.dirs": self.folder,
            "blob.storage.directory": self.folder / "blobs",
        }
        self.conf.mkdir(parents=True)
        lines = [f"{key}: {value}\n" for key, value in settings.items()]
        (self.conf / "flink-conf.yaml").write_text("".join(lines))
        worker = self.folder / "worker"
        module = "preprocessing.job.worker_process"
        worker.write_text(
            f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} OPENBLAS_NUM_THREADS=1 "
            f'exec {shlex.quote(sys.executable)} -m {module} "$@"\n'
        )
        worker.chmod(0o755)
        try:
            entry = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
            self._java("jobmanager", "512m", entry, "--configDir", self.conf)
            for number in range(self.task_managers):
                runner = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
                name = ("-D", f"taskmanager.resource-id=tm{number}")
                self._java(f"tm{number}", "384m", runner, "--configDir", self.conf, *name)
            self._until(lambda: f'"taskmanagers":{self.task_managers},' in self._overview())
            server = "org.apache.beam.runners.flink.FlinkJobServerDriver"
            ports = ("--job-port", self.job_port, "--artifact-port", 0, "--expansion-port", 0)
            places = ("--artifacts-dir", self.folder / "artifacts")
            master = ("--flink-master", f"127.0.0.1:{self.rest}", "--job-host", "127.0.0.1")
            self._java("job-server", "512m", server, *master, *ports, *places)
            self._until(self._serves)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exception) -> None:
        self._stack.close()

    @property
    def options(self) -> list[str]:
        return [
            *("--runner", "PortableRunner", "--job_endpoint", f"127.0.0.1:{self.job_port}"),
            *("--environment_type", "PROCESS", "--parallelism", "2"),
            *("--environment_config", f'{{"command": "{self.folder / "worker"}"}}'),
        ]

    def log(self, name: str) -> str:
        """What a process of the cluster has printed so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def workers_of(self, name: str) -> list[int]:
        """Process ids of a TaskManager's Python workers."""
        parent, found = self.processes[name].pid, []
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if int(status.read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(status.parent.name))
        return found

    def kill_with_its_worker(self, name: str) -> None:
        """kill -9 of a TaskManager and of the Python workers it started."""
        for pid in [*self.workers_of(name), self.processes[name].pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _java(self, name: str, heap: str, *command: object) -> None:
        opens = [f"--add-opens=java.base/java.{part}=ALL-UNNAMED" for part in OPENED]
        opens.append("--add-opens=java.base/java.util.concurrent=ALL-UNNAMED")
        classes = f"{self.build}/flink-job-server.jar:{self.build}/lib/*"
        log = self._stack.enter_context((self.folder / f"{name}.log").open("w"))
        process = subprocess.Popen(
            ["java", f"-Xmx{heap}", "-XX:+UseSerialGC", *opens, "-cp", classes, *map(str, command)],
            cwd=self.folder,
            env={**os.environ, "FLINK_CONF_DIR": str(self.conf)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self.processes[name] = process
        self._stack.callback(wait_for_end, process)

    def _overview(self) -> str:
        with suppress(OSError):
            url = f"http://127.0.0.1:{self.rest}/overview"
            return urllib.request.urlopen(url, timeout=5).read().decode()
        return ""

    def _serves(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.job_port), 5):
            return True
        return False

    def _until(self, condition) -> None:
        end = time.monotonic() + DEADLINE
        while not condition():
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} ended by itself:\n{self.log(name)[-4000:]}"
            assert time.monotonic() < end, f"the cluster does not come up; logs in {self.folder}"
            time.sleep(0.2)


def wait_for_end(process: subprocess.Popen) -> None:
    """Asks a program to end, and kills it if it does not."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)
