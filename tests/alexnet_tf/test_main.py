"""All verbs under one command."""

import importlib
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
    ("command", "begins"),
    [
        *((f"{verb} --help", b"usage:") for verb in sorted(VERBS)),
        ("benchmark train --help", b"usage:"),
        ("reproduce --list", b"cifar-"),
        ("describe --list", b"bvlc  "),
    ],
)
def test_what_only_tells_comes_without_tensorflow(command, begins):
    code = """
import runpy, sys
verb = sys.argv[1]
del sys.argv[1]
try:
    runpy.run_module(f"alexnet_tf.{verb}", run_name="__main__")
except SystemExit as end:
    sys.exit(end.code or "tensorflow" in sys.modules or "keras" in sys.modules)
"""
    line = [sys.executable, "-c", code, *command.split()]
    done = subprocess.run(line, capture_output=True, timeout=SECONDS)
    assert (done.returncode, done.stdout[:6]) == (0, begins)


def test_help_and_mistakes():
    assert run().stdout == run("--help").stdout
    assert "import_weights" in run("-h").stdout
    done = run("trian")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: expected one of train, evaluate")
    assert done.stderr.endswith("received 'trian'; did you mean train?\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("predict", "the following arguments are required: --model, IMAGE (see --help)"),
        ("describe --liss", "unrecognized arguments: --liss; did you mean --list?"),
        ("evaluate --views 5", "argument --views: invalid choice: 5"),
        ("benchmark trian", "argument {lrn,local,input,train,start,export}: invalid choice"),
    ],
)
def test_mistaken_arguments_are_one_line(line, message, capsys):
    verb, *arguments = line.split()
    with pytest.raises(SystemExit) as raised:
        importlib.import_module(f"alexnet_tf.{verb}").main(arguments)
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1
