"""benchmark start: seconds until a verb does its work, beside those TensorFlow takes to load."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from alexnet_tf.benchmarks.table import Row, Table
from alexnet_tf.errors import JobError

LIMIT = 600  # seconds, for a machine busy with other things
LOOK = 0.005  # seconds between two looks whether a training has begun


def table(
    config: str,
    data: str,
    overrides: Sequence[str] = (),
    prediction: tuple[str, str] | None = None,
    rounds: int = 3,
) -> Table:
    """Medians of `rounds` turns, each a process of its own.

    Args: prediction, a SavedModel and an image. Raises JobError where a process fails.
    """
    first_step = f"train {config}, to the end of its first step"
    cases: dict[str, Callable[[], None]] = {
        "import tensorflow": lambda: _whole(["-c", "import tensorflow"]),
        "train --help": lambda: _whole(["-m", "alexnet_tf.train", "--help"]),
        first_step: lambda: _to_first_step(config, data, overrides),
    }
    if prediction is not None:
        model, image = prediction
        cases["predict, one image"] = lambda: _whole(
            ["-m", "alexnet_tf.predict", "--model", model, image]
        )
    turns: dict[str, list[float]] = {name: [] for name in cases}
    for _ in tqdm(range(rounds), desc="rounds", disable=None):
        for name, case in cases.items():
            began = time.perf_counter()
            case()
            turns[name].append(time.perf_counter() - began)
    seconds = {name: statistics.median(values) for name, values in turns.items()}
    rows = [
        Row(name, value, note=f"{min(turns[name]):.1f} to {max(turns[name]):.1f}")
        for name, value in seconds.items()
    ]
    return Table("start", "seconds", rows, {"dataset": data})


def _whole(arguments: Sequence[str]) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=LIMIT
    )
    if done.returncode:
        raise JobError(f"{' '.join(arguments)} failed: {_last_line(done.stderr)}")


def _to_first_step(config: str, data: str, overrides: Sequence[str]) -> None:
    """Returns when a new training has logged its first step."""
    with tempfile.TemporaryDirectory(prefix="alexnet_tf-") as directory:
        log, said = Path(directory, "run", "log.jsonl"), Path(directory, "said")
        arguments = ["--config", config, "--data", data, "--run", str(log.parent)]
        command = [sys.executable, "-m", "alexnet_tf.train", *arguments, *overrides]
        with said.open("w") as output:
            training = subprocess.Popen(
                [*command, "training.log_every_steps=1"], stdout=output, stderr=output
            )
        with _ended(training):
            until = time.perf_counter() + LIMIT
            while not (log.is_file() and log.stat().st_size):
                if training.poll() is not None or time.perf_counter() > until:
                    raise JobError(f"the training did not begin: {_last_line(said.read_text())}")
                time.sleep(LOOK)


@contextlib.contextmanager
def _ended(process: subprocess.Popen) -> Iterator[None]:
    """Kills the process at the end: what it has made goes with its directory."""
    try:
        yield
    finally:
        process.kill()
        process.wait(LIMIT)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
