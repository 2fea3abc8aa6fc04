"""A disk that fills up while a conversion writes to it ends the job, at whatever write it does."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.preprocessing.drawn_images import write_archives

ROOT = Path(__file__).parents[3]
LIMIT = 90  # seconds after which a hanging conversion fails its test
SMALL_DISK = ["unshare", "--mount", "--map-root-user"]

# A disk of its own for the output, seen by this shell alone; the last of it is taken as soon as the
# first shards are finished: everything that is written from then on fails, logs included.
SCRIPT = """
mount -t tmpfs -o size=4m tmpfs "$1" || exit 99
"$2" -m preprocessing convert --source ilsvrc2012 --input "$3" --output "$1/out" \
    --image-size 96 --encoding raw --shards train=60,validation=6 --workers 1 &
job=$!
until ls "$1"/out/.conversion/*/results/*.json >/dev/null 2>&1; do
    kill -0 $job || break
    sleep 0.01
done
cat /dev/zero >"$1/filler" 2>/dev/null
wait $job
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return write_archives(tmp_path_factory.mktemp("in"), 20, 12)


def test_a_disk_that_fills_up_ends_the_job_in_one_line(many, tmp_path):
    if not shutil.which("unshare"):
        pytest.skip("unshare is not on the PATH")
    allowed = subprocess.run([*SMALL_DISK, "true"], capture_output=True, check=False, timeout=LIMIT)
    if allowed.returncode:
        pytest.skip("a file system of one's own may not be mounted here")
    command = [*SMALL_DISK, "sh", "-c", SCRIPT, "sh", tmp_path, sys.executable, many]
    job = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT
    )
    if job.returncode == 99:
        pytest.skip("a file system of one's own may not be mounted here")
    assert job.returncode == 1, job.stderr[-2000:]
    *earlier, last = job.stderr.splitlines()
    assert "No space left on device" in last
    assert "finished shards are kept" in last
    assert "Traceback" not in "".join(earlier)
