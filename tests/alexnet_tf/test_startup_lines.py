"""What TensorFlow writes at start: known lines are left out, everything else shows."""

import os
import subprocess
import sys

import pytest

from alexnet_tf.startup_lines import known
from tests.deadlines import SECONDS

LINES = {  # as TensorFlow 2.21 and 2.15 write them, with what comes before
    "I0000 00:00:1795766554.916568   25504 port.cc:153] oneDNN custom operations are on. You"
    " may see slightly different numerical results": True,
    "I0000 00:00:1795766554.926620   25504 cudart_stub.cc:31] Could not find cuda drivers on your"
    " machine, GPU will not be used.": True,
    "E0000 00:00:1795766600.932985   25504 cuda_platform.cc:52] failed call to cuInit: INTERNAL:"
    " CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)": True,
    "2026-11-27 08:03:55.805014: E external/local_xla/xla/stream_executor/cuda/cuda_dnn.cc:9261]"
    " Unable to register cuDNN factory: Attempting to register factory for plugin cuDNN when one"
    " has already been registered": True,
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR": True,
    "E0000 00:00:1795790197.475252   15612 jpeg_mem.cc:331] Premature end of JPEG data. Stopped at"
    " line 46/300": True,
    # Other faults of the driver are news, and so is what only sounds alike.
    "E0000 00:00:1795766600.932985   25504 cuda_platform.cc:52] failed call to cuInit: INTERNAL:"
    " CUDA error: Failed call to cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": False,
    "oneDNN custom operations are on.": False,
    "error: I0000 00:00:1795766554.9   25504 port.cc:153] oneDNN custom operations are on.": False,
    "W0000 00:00:1795766554.926620   25504 x.cc:1] out of memory": False,
    "": False,
}


@pytest.mark.parametrize(("line", "expected"), LINES.items())
def test_exactly_the_known_lines(line, expected):
    assert known(line.encode()) == expected


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


WRITES = f"""
import os, sys
from alexnet_tf import startup_lines
startup_lines.begin()
startup_lines.begin()
for line in {list(LINES)!r}:
    os.write(2, line.encode() + b"\\n")
print("from Python", file=sys.stderr)
os.write(2, b"half a line")
"""
SHOWN = "".join(f"{line}\n" for line, left_out in LINES.items() if not left_out)


@pytest.mark.parametrize("end", ["startup_lines.end()", "os.abort()", "os._exit(3)"])
def test_all_else_passes_also_of_a_process_that_crashes(end):
    done = python(WRITES + end, TF_CPP_MIN_LOG_LEVEL="2")
    assert done.stderr == f"{SHOWN}from Python\nhalf a line"


def test_after_the_end_nothing_is_left_out():
    done = python(WRITES + "startup_lines.end()\n" + f"os.write(2, {next(iter(LINES)).encode()!r})")
    assert done.stderr == f"{SHOWN}from Python\nhalf a line{next(iter(LINES))}"


def test_a_verb_can_keep_it():
    loaded = "startup_lines.keep()\nstartup_lines.loaded()\n"
    line = next(iter(LINES)).encode() + b"\n"
    done = python(f"{WRITES}\n{loaded}os.write(2, b'\\n' + {line!r})\nstartup_lines.end()")
    assert done.stderr == f"{SHOWN}from Python\nhalf a line\n"


def test_a_verb_can_keep_it_whose_output_goes_to_a_file(tmp_path):
    code = """
import os, sys
from alexnet_tf import cli, startup_lines
from alexnet_tf.errors import UserError
def main(_):
    print("caf\\u00e9 \\u65e5", flush=True)
    raise UserError("no such \\u65e5")
startup_lines.begin()
startup_lines.keep()
cli.run(main)
"""
    path = tmp_path / "log"
    with path.open("wb") as log:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONIOENCODING": "latin-1"},
            stdout=log,
            stderr=log,
            timeout=SECONDS,
        )
    assert done.returncode == 2
    shown = path.read_text(encoding="latin-1")
    assert shown == "café \\u65e5\nerror: no such \\u65e5\n"


def test_all_of_it_where_it_is_asked_for():
    done = python(WRITES, TF_CPP_MIN_LOG_LEVEL="0")
    assert done.stderr == "".join(f"{line}\n" for line in LINES) + "from Python\nhalf a line"


def test_without_standard_error_there_is_nothing_to_filter():
    assert python("import os; os.close(2)\n" + WRITES.split("for line")[0]).returncode == 0


def test_a_verb_says_its_own_line_alone(tmp_path):
    """Of what is known; a machine with a GPU may say more."""
    command = [sys.executable, "-m", "alexnet_tf.evaluate", "--run", "none", "--data", "none"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=SECONDS)
    lines = done.stderr.splitlines()
    assert done.returncode == 2
    assert b"error: expected a run directory with config.yaml, received none" in lines
    assert not any(map(known, lines))


def test_the_package_alone_is_imported_without_tensorflow():
    assert python("import alexnet_tf, sys; sys.exit('tensorflow' in sys.modules)").returncode == 0
