"""Conversions as programs of their own, for tests of what clusters make of them."""

import hashlib
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
IMAGES = (330, 30)  # drawn: of each of three classes; of the validation split
TOTAL = 3 * IMAGES[0] + IMAGES[1]
SHARDS = 15
LIMIT = 400  # seconds after which a job that hangs fails its test


def command(source: Path, output: Path, *more: object) -> list[str]:
    return [
        sys.executable,
        *("-m", "preprocessing", "convert", "--source", "ilsvrc2012"),
        *("--input", str(source), "--output", str(output), "--image-size", "64"),
        *("--shards", "train=12,validation=3", *map(str, more)),
    ]


def run(source: Path, output: Path, *more: object) -> str:
    """Converts; returns what was printed."""
    done = subprocess.run(
        command(source, output, *more), cwd=ROOT, capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def start(source: Path, output: Path, log: Path, *more: object) -> subprocess.Popen:
    """Begins a conversion, which prints into `log`."""
    with log.open("w") as file:
        return subprocess.Popen(
            command(source, output, *more), cwd=ROOT, stdout=file, stderr=subprocess.STDOUT
        )


def made(output: Path) -> int:
    """Shards that are made so far."""
    return len(list(output.glob(".conversion/*/results/*.json")))


def until_some_shards(job: subprocess.Popen, output: Path) -> None:
    """Returns when some of a job's shards are made, and some are not."""
    end = time.monotonic() + LIMIT
    while not made(output):
        assert job.poll() is None, "the job ended before it had made a shard"
        assert time.monotonic() < end, "the job makes no shard"
        time.sleep(0.005)


def digest(folder: Path) -> str:
    """SHA-256 of all names and bytes of a dataset."""
    content = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return content.hexdigest()
