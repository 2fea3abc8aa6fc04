"""All verbs under one command."""

import subprocess
import sys

import pytest

from alexnet_tf import __main__ as command
from alexnet_tf import __version__
from tests.deadlines import SECONDS
from tests.test_architecture import VERBS


def run(*arguments: str, module: str = "alexnet_tf") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, timeout=SECONDS
    )


def test_it_knows_every_verb():
    assert set(command.VERBS) == VERBS


def test_a_verb_gets_the_rest_of_the_line():
    done = run("describe", "--config", "papper")
    assert done.returncode == 2
    assert "received papper; did you mean paper?" in done.stderr
    assert run("import-weights", "--help").stdout.startswith("usage: python -m alexnet_tf.import_")


@pytest.mark.parametrize("module", ["alexnet_tf", "preprocessing"])
def test_the_version(module):
    assert run("--version", module=module).stdout == f"alexnet_tf {__version__}\n"


@pytest.mark.parametrize(
    "verb", ["train", "evaluate", "export", "predict", "visualize", "import_weights", "describe"]
)
def test_help_comes_without_tensorflow(verb):
    code = f"""
import runpy, sys
sys.argv = ["verb", "--help"]
try:
    runpy.run_module("alexnet_tf.{verb}", run_name="__main__")
except SystemExit as end:
    sys.exit(end.code or "tensorflow" in sys.modules or "keras" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=SECONDS)
    assert (done.returncode, done.stdout[:6]) == (0, b"usage:")


def test_help_and_mistakes():
    assert run().stdout == run("--help").stdout
    assert "import_weights" in run("-h").stdout
    done = run("trian")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: expected one of train, evaluate")
