"""The wheel, installed apart: all that a clone does, in an empty folder."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.deadlines import SECONDS

ROOT = Path(__file__).parents[2]
SOURCES = (
    "alexnet_tf",
    "preprocessing",
    "configs",
    "setup.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)
APART = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
TINY = ["network={width: 0.05, input_size: 64, init_scaling: keep-variance}"]
TINY += ["training={epochs: 1, global_batch_size: 8}", "monitoring.every_epochs=0"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, as builds leave folders behind."""
    folder, sources = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, sources / name)
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder)]
    build = [sys.executable, "-m", "pip", "wheel", *options, str(sources)]
    subprocess.run(build, check=True, timeout=SECONDS, cwd=folder, env=APART)
    [path] = folder.glob("alexnet_tf-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder of commands of an environment with the wheel; the libraries are this one's."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    [packages] = folder.glob("lib/python*/site-packages")
    options = ["--no-deps", "--quiet", "--no-warn-script-location"]
    pip = [sys.executable, "-m", "pip", f"--python={folder}/bin/python", "install", *options]
    subprocess.run([*pip, str(wheel)], check=True, timeout=SECONDS, env=APART)
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "libraries.pth").write_text("\n".join(libraries))
    return folder / "bin"


def test_every_configuration_is_in_it(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for path in (ROOT / "configs").rglob("*.yaml"):
        assert f"alexnet_tf/configs/{path.relative_to(ROOT / 'configs')}" in names
    assert {"alexnet_tf/py.typed", "preprocessing/job/flink/pom.xml"} <= names
    assert not any(name.startswith("tests") for name in names)


@pytest.mark.slow
def test_the_main_job_in_an_empty_folder(installed, tmp_path):
    """Archives, conversion, training, evaluation, export, prediction, by the installed commands."""

    def run(*command: str) -> str:
        done = subprocess.run(
            [installed / command[0], *command[1:]],
            cwd=tmp_path,
            env=APART,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import alexnet_tf; print(alexnet_tf.__file__)"
    assert run("python", "-c", where).startswith(str(installed.parent))
    assert run("alexnet", "--version").startswith("alexnet_tf ")
    assert "original" in run("alexnet", "describe", "--list")
    assert "60,965,224" in run("alexnet", "describe", "--config", "paper")
    counts = ["--train-per-class", "4", "--validation-per-class", "2", "--workers", "1"]
    run("alexnet-data", "sample", "--output", "archives", *counts)
    source = ["--source", "ilsvrc2012", "--input", "archives", "--output", "data"]
    run("alexnet-data", "convert", *source, "--image-size", "72", "--workers", "2")
    run("alexnet-data", "verify", "data")
    run("alexnet", "train", "--config", "paper", "--data", "data", "--run", "run", *TINY)
    assert "top-1 error" in run("alexnet", "evaluate", "--run", "run", "--data", "data")
    run("alexnet", "export", "--run", "run", "--output", "model")
    subprocess.run(
        ["tar", "-xf", "archives/ILSVRC2012_img_val.tar"], cwd=tmp_path, check=True, timeout=SECONDS
    )
    shown = run("alexnet", "predict", "--model", "model", "ILSVRC2012_val_00000001.JPEG")
    assert len(shown.splitlines()) == 6
