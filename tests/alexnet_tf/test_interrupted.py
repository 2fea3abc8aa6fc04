"""Ctrl-C while a verb is imported: no traceback of half an import, exit code 130."""

import os
import signal
import subprocess
import sys

import pytest

SLOW = """
import sys, time
print("importing", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("verb", ["train", "evaluate", "predict"])
def test_ctrl_c_during_the_imports_ends_at_once(tmp_path, verb):
    (tmp_path / "tensorflow.py").write_text(SLOW)  # in place of the library
    (tmp_path / "keras.py").write_text(SLOW)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-m", f"alexnet_tf.{verb}"],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors == ""
