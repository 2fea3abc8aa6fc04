"""One trained run and its export that the end-to-end tests share, made by the verbs."""

import importlib.util
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import tensorflow as tf

from alexnet_tf import export, train
from alexnet_tf.serving import onnx_file
from preprocessing.__main__ import main as preprocessing

CONFIG = """
network: {width: 0.05, input_size: 64, init_scaling: keep-variance}
training: {epochs: 2, global_batch_size: 8, log_every_steps: 2}
"""

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",  # the projector draws with WebGL
    "--window-size=1500,1250",
)
PATIENCE = 120  # seconds, for a page to load and to show what it is asked for


@dataclass(frozen=True)
class Made:
    archives: Path
    data: Path
    config: Path
    run: Path


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    """Archives of 10 × (4 + 2) drawn images, their dataset at 72×72, two epochs of training."""
    root = tmp_path_factory.mktemp("made")
    made = Made(root / "archives", root / "data", root / "tiny.yaml", root / "run")
    made.config.write_text(CONFIG)
    counts = ["--train-per-class", "4", "--validation-per-class", "2", "--workers", "1"]
    assert not preprocessing(["sample", "--output", str(made.archives), *counts])
    source = ["--source", "ilsvrc2012", "--input", str(made.archives)]
    options = ["--output", str(made.data), "--image-size", "72", "--workers", "1"]
    assert not preprocessing(["convert", *source, *options])
    arguments = ["--config", str(made.config), "--data", str(made.data), "--run", str(made.run)]
    assert train.main(arguments) == 0
    return made


@pytest.fixture(scope="session")
def directory(made, tmp_path_factory) -> Path:
    """Its export, with a TFLite file and checked against the run; no test changes it.

    With an ONNX file, too, where the packages for that are.
    """
    path = tmp_path_factory.mktemp("served") / "model"
    options = ["--tflite", "--check", str(made.data)]
    options += ["--onnx"] if all(map(importlib.util.find_spec, onnx_file.PACKAGES)) else []
    assert export.main(["--run", str(made.run), "--output", str(path), *options]) == 0
    return path


@pytest.fixture(scope="session")
def served(directory):
    return tf.saved_model.load(str(directory))


@pytest.fixture(scope="session")
def files(made) -> list[bytes]:
    """The validation images' files."""
    with tarfile.open(made.archives / "ILSVRC2012_img_val.tar") as archive:
        return [archive.extractfile(member).read() for member in archive]


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium, headless. Tests of it are skipped where there is none."""
    chromium, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if not (chromium and driver):
        pytest.skip("needs chromium and chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    browser.set_page_load_timeout(PATIENCE)
    yield browser
    browser.quit()
