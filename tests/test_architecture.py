"""Who may import whom, and what lies where: the layout of both packages, read from the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("alexnet_tf/**/*.py"), *ROOT.glob("preprocessing/**/*.py")])
VERBS = {p.stem for p in ROOT.glob("alexnet_tf/*.py") if "cli.run(main)" in p.read_text()}
HELPERS = {
    "__init__",
    "__main__",
    "cli",
    "compat",
    "errors",
    "startup_imports",
    "startup_lines",
    "step_context",
}
APART = {"network", "data", "training"}  # what joins them: runs, evaluation, monitoring, ... verbs
# Typed data and arithmetic without TensorFlow, which parts that are apart may share.
SHARED = tuple(
    f"alexnet_tf.{part}"
    for part in (
        "network.spec",
        "network.structure",
        "network.geometry",
        "network.operations",
        "network.naming",
        "network.weights",
        "evaluation.metrics",
    )
)
BEAM = ("preprocessing.job.", "preprocessing.storage.beam_", "preprocessing.benchmark.")
DRIVER_ONLY = ("sample", "benchmark", "inspection", "verbs")  # setup.py leaves them off workers


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


def within(package: str) -> list[Path]:
    return [path for path in SOURCES if module(path).startswith(f"{package}.")]


@pytest.mark.parametrize("path", within("preprocessing"), ids=module)
def test_preprocessing_needs_neither_tensorflow_nor_training(path):
    names, own = imported(path), module(path)
    assert not reaches(names, "alexnet_tf")
    assert not reaches(names, "tensorflow")
    if not own.startswith(BEAM):
        assert not reaches(names, "apache_beam")


@pytest.mark.parametrize(
    "path",
    [p for room in ("sources", "images", "storage") for p in within(f"preprocessing.{room}")],
    ids=module,
)
def test_what_a_job_is_made_of_does_not_know_the_job(path):
    assert not reaches(imported(path), "preprocessing.job")


@pytest.mark.parametrize("path", within("preprocessing.dataset"), ids=module)
def test_the_format_needs_nothing_but_itself(path):
    own = {name for name in imported(path) if name.startswith("preprocessing.")}
    assert all(reaches({n}, "preprocessing.dataset") or "preprocessing.errors" in n for n in own)


@pytest.mark.parametrize(
    "path",
    [p for p in within("preprocessing") if p.parent.name not in DRIVER_ONLY and p.stem[0] != "_"],
    ids=module,
)
def test_workers_can_do_without_what_setup_py_leaves_off(path):
    names = imported(path)
    assert [part for part in DRIVER_ONLY if reaches(names, f"preprocessing.{part}")] == []


@pytest.mark.parametrize("path", within("alexnet_tf"), ids=module)
def test_training_sees_the_dataset_format_alone(path):
    foreign = {n for n in imported(path) if n.startswith("preprocessing.")}
    if module(path) != "alexnet_tf.errors":
        assert all(reaches({n}, "preprocessing.dataset") for n in foreign), foreign


@pytest.mark.parametrize("path", within("alexnet_tf"), ids=module)
def test_parts_that_are_apart_do_not_meet(path):
    own = module(path)
    part = own.split(".")[1]
    names = {name for name in imported(path) if not name.startswith(SHARED)}
    siblings = {n.split(".")[1] for n in names if n.startswith("alexnet_tf.")} - HELPERS - {part}
    if part in APART:
        assert siblings <= {"config"}
    elif part in {"config", "figures"} | HELPERS - {"__init__"}:
        assert siblings <= ({"config"} if part == "compat" else set())
    if part in VERBS:
        assert siblings & VERBS == set()


def test_the_top_holds_verbs_and_few_helpers():
    top = {path.stem for path in ROOT.glob("alexnet_tf/*.py")}
    assert top - VERBS == HELPERS
    assert {"train", "evaluate", "export", "predict"} <= VERBS
    assert {p.stem for p in ROOT.glob("preprocessing/*.py")} == {"__init__", "__main__", "errors"}


@pytest.mark.parametrize("path", within("alexnet_tf"), ids=module)
def test_only_compat_knows_versions_of_keras(path):
    """It may be asked what it knows by functions; its flag is for tests, which choose a lane."""
    names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if hasattr(node, "attr")}
    if path.name != "compat.py":
        assert "__version__" not in names
        assert not reaches(imported(path), "alexnet_tf.compat.KERAS_3")


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_library_code_does_not_assert(path):
    asserts = [n.lineno for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Assert)]
    assert asserts == []
