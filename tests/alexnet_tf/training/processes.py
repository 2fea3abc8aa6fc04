"""Trainings in processes of their own, and what they leave behind."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from alexnet_tf.runs.checkpoints import Checkpoints
from tests import tiny_datasets
from tests.deadlines import SECONDS

ROOT = Path(__file__).parents[3]
CONFIG = """
network: {width: 0.05, input_size: 64, init_scaling: keep-variance}
training: {epochs: 3, global_batch_size: 8, log_every_steps: 2, deterministic: true}
"""


def start(arguments: Sequence[str], cpus: int = 1, **environment: str) -> subprocess.Popen:
    """`several_devices` with these arguments; its output, both streams, is in `stdout`."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.alexnet_tf.training.several_devices", str(cpus), *arguments],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen, code: int = 0) -> str:
    """The output of a process that must end with this exit code."""
    try:
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == code, f"exit code {process.returncode}:\n{output}"
    return output


def two_workers(arguments: Sequence[Sequence[str]], cpus: int = 1) -> list[subprocess.Popen]:
    """Two workers on loopback, each with its arguments of `several_devices`."""
    with socket.socket() as first, socket.socket() as second:
        ports = []
        for free in (first, second):
            free.bind(("localhost", 0))
            ports.append(free.getsockname()[1])
    hosts = [f"localhost:{port}" for port in ports]

    def tf_config(index: int) -> str:
        task = {"type": "worker", "index": index}
        return json.dumps({"cluster": {"worker": hosts}, "task": task})

    return [start(own, cpus, TF_CONFIG=tf_config(i)) for i, own in enumerate(arguments)]


def write_inputs(root: Path, **counts: int) -> tuple[str, str]:
    """(config file, dataset directory): 52 images in 4 shards: 7 batches, the last partial."""
    root.mkdir(exist_ok=True)
    tiny_datasets.write(root / "data", counts=counts or {"train": 52, "validation": 21}, shards=4)
    (root / "tiny.yaml").write_text(CONFIG)
    return str(root / "tiny.yaml"), str(root / "data")


def variables(run: Path, step: int | None = None) -> dict[str, np.ndarray]:
    """Weights and the optimizer's variables by name, from a run's checkpoint (the newest)."""
    checkpoints = Checkpoints(run / "checkpoints")
    path = checkpoints.path(step or checkpoints.steps()[-1])
    reader = tf.train.load_checkpoint(str(path / "variables"))
    names = [n for n in reader.get_variable_to_shape_map() if n.endswith("/VARIABLE_VALUE")]
    return {name: reader.get_tensor(name) for name in sorted(names)}


def largest_difference(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> float:
    assert first.keys() == second.keys()
    return max(float(np.abs(first[name] - second[name]).max()) for name in first)


def assert_identical(received: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert received.keys() == expected.keys()
    for name, value in expected.items():
        assert received[name].tobytes() == value.tobytes(), name
