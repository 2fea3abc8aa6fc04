"""What a verb leaves out while it loads, and that nothing is collected: for that long alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deadlines import SECONDS

ROOT = Path(__file__).parents[2]

BEGUN = """
import sys
from alexnet_tf import startup_imports
startup_imports.begin()
"""


def python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120
    )


def test_it_counts_as_not_installed_until_the_end():
    done = python(
        BEGUN
        + """
try:
    import matplotlib.pyplot
except ImportError:
    print("hidden")
import matplotlib.figure
startup_imports.end()
import matplotlib.pyplot
print(matplotlib.pyplot.__name__)
"""
    )
    assert done.stdout.split() == ["hidden", "matplotlib.pyplot"], done.stderr


def test_what_is_there_already_stays():
    done = python(
        "import matplotlib.pyplot as before\n"
        + BEGUN
        + "import matplotlib.pyplot as after; print(after is before)\n"
        + "startup_imports.end(); print(sys.modules['matplotlib.pyplot'] is before)"
    )
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_a_verb_leaves_out_more_of_its_own():
    done = python(
        BEGUN
        + """
startup_imports.leave_out("wave")
print("wave" in sys.modules)
startup_imports.end()
print("wave" in sys.modules)
startup_imports.leave_out("wave")  # nobody began
print("wave" in sys.modules)
import wave
"""
    )
    assert done.stdout.split() == ["True", "False", "False"], done.stderr


@pytest.mark.parametrize("before", ["enable", "disable"])
def test_the_garbage_collector_waits_and_then_is_as_before(before):
    done = python(
        f"import gc; gc.{before}()\n"
        + BEGUN
        + """
startup_imports.begin()  # the second does nothing
print(gc.isenabled(), gc.get_freeze_count())
startup_imports.end()
print(gc.isenabled(), gc.get_freeze_count() > 1000)
"""
    )
    enabled = str(before == "enable")
    assert done.stdout.split() == ["False", "0", enabled, enabled], done.stderr


def test_a_training_loads_neither_scikit_learn_nor_matplotlib():
    done = python(
        BEGUN + "import alexnet_tf.runs.session;"
        " loaded = {name for name, module in sys.modules.items() if module};"
        " print(*(loaded & {'sklearn.base', 'matplotlib.pyplot', 'matplotlib.figure'}), 'done')"
    )
    assert done.stdout.split() == ["done"], done.stderr


@pytest.mark.parametrize(
    ("options", "begun"),
    [
        (["-m", "alexnet_tf"], True),
        (["-malexnet_tf"], True),
        (["-m", "theirs.verb"], False),
        (["-mtheirs.verb"], False),
    ],
)
def test_only_verbs_of_ours_begin(tmp_path, options, begun):
    """Others' packages may import this one while Python looks for a module of theirs."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "__init__.py").write_text("import alexnet_tf")
    (tmp_path / "theirs" / "verb.py").write_text("")
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, gc\natexit.register(lambda: print('collecting', gc.isenabled()))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, *options, "--version"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=environment,
    )
    assert f"collecting {not begun}" in done.stdout, done.stderr


def test_python_gets_keras_whole():
    done = python("import alexnet_tf, matplotlib.pyplot as plt; print(plt.__name__)")
    assert done.stdout.split() == ["matplotlib.pyplot"], done.stderr
