"""No test waits for ever: read from the tests' source."""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROCESSES = ("run", "call", "check_call", "check_output")  # of subprocess
WAITS = ("wait", "communicate", "join")


def waits_for_ever(call: ast.Call) -> bool:
    """A call that waits, without a timeout: by name, in `**options`, or the first argument."""
    if not isinstance(call.func, ast.Attribute):
        return False
    name, owner = call.func.attr, call.func.value
    if isinstance(owner, ast.Name) and owner.id == "subprocess" and name in PROCESSES:
        limited = False
    elif name in WAITS:
        limited = bool(call.args)
    else:
        return False
    return not limited and not any(word.arg in ("timeout", None) for word in call.keywords)


def sleeps_for_ever(loop: ast.While) -> bool:
    calls = {ast.unparse(node.func) for node in ast.walk(loop) if isinstance(node, ast.Call)}
    return "time.sleep" in calls and "time.monotonic" not in calls


def endless(source: str) -> list[str]:
    return [
        f"line {node.lineno}: {ast.unparse(node).splitlines()[0]}"
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Call) and waits_for_ever(node))
        or (isinstance(node, ast.While) and sleeps_for_ever(node))
    ]


@pytest.mark.parametrize(
    "path", sorted(HERE.rglob("*.py")), ids=lambda path: str(path.relative_to(HERE))
)
def test_every_wait_has_a_deadline(path):
    assert endless(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("subprocess.run(command, check=True)", True),
        ("subprocess.run(command, timeout=9)", False),
        ("subprocess.run(command, **quietly)", False),
        ("process.wait()", True),
        ("process.wait(20)", False),
        ("process.communicate()", True),
        ("thread.join()", True),
        ("', '.join(names)", False),
        ("while not path.exists():\n    time.sleep(1)", True),
        ("while time.monotonic() < end:\n    time.sleep(1)", False),
    ],
)
def test_what_counts_as_a_deadline(source, found):
    assert bool(endless(source)) is found
