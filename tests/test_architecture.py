"""Who may import whom: the layout of the two packages, read from their source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("alexnet_tf/**/*.py"), *ROOT.glob("preprocessing/**/*.py")])
# The job, which runner does it, Beam's filesystems, the command line, and one to compare with.
BEAM = ("pipeline", "runners", "beam_files", "__main__", "benchmark")
VERBS = {p.stem for p in ROOT.glob("alexnet_tf/*.py") if "cli.run(main)" in p.read_text()}


def imported(path: Path) -> set[str]:
    """Dotted names of everything a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def reaches(names: set[str], package: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for name in names)


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_imports_follow_the_layout(path):
    names, own = imported(path), module(path)
    if own.startswith("preprocessing"):
        assert not reaches(names, "alexnet_tf")
        assert not reaches(names, "tensorflow")
        if path.stem not in BEAM:
            assert not reaches(names, "apache_beam")
        return
    foreign = {n for n in names if n.startswith("preprocessing.")}
    assert all(reaches({n}, "preprocessing.dataset") for n in foreign), foreign
    part = own.split(".")[1]
    for other in {"network", "data", "training"} - {part}:
        if part in {"network", "data", "training"}:
            assert not reaches(names, f"alexnet_tf.{other}")
    if own == "alexnet_tf.config":
        siblings = {n for n in names if n.startswith("alexnet_tf.")}
        assert all(n.startswith("alexnet_tf.network.spec") for n in siblings)
    if part in VERBS:
        assert [v for v in VERBS - {part} if reaches(names, f"alexnet_tf.{v}")] == []


def test_the_verbs_are_found():
    assert {"train", "evaluate", "export", "predict"} <= VERBS


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_library_code_does_not_assert(path):
    asserts = [n.lineno for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Assert)]
    assert asserts == []
