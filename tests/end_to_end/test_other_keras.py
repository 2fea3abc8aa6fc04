"""Files made with Keras 2.15 are read by Keras 3, and the other way, with the same answers.

The other Python is named by ALEXNET_TF_OTHER_PYTHON; otherwise it is that of .venv-addons, or of
.venv where the tests run in .venv-addons.
"""

import os
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

from alexnet_tf.compat import KERAS_3
from tests.deadlines import SECONDS
from tests.end_to_end import carried

ROOT = Path(__file__).parents[2]
OTHER = os.environ.get(
    "ALEXNET_TF_OTHER_PYTHON", ROOT / (".venv-addons" if KERAS_3 else ".venv") / "bin/python"
)
pytestmark = pytest.mark.slow


def by_other(*arguments: str) -> str:
    """The output of a program of the other Python."""
    done = subprocess.run(
        [str(OTHER), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def other_keras() -> None:
    """Skips where there is no other Keras."""
    if not Path(OTHER).exists():
        pytest.skip(f"no {OTHER}: make test-addons, or name one by ALEXNET_TF_OTHER_PYTHON")
    version = by_other("-c", "import keras; print(keras.__version__)").split()[-1]
    if version.startswith("2.") != KERAS_3:
        pytest.skip(f"{OTHER} has Keras {version}, these tests {keras.__version__}")
    if "3.0" in (version[:3], keras.__version__[:3]):
        pytest.skip("Keras 3.0 reads no .keras files of Keras 2")


def compare(received: dict[str, np.ndarray], written: dict[str, np.ndarray]) -> None:
    for name in received:
        tolerance = {"rtol": 1e-5, "atol": 1e-6}
        if name.endswith(".keras trained on"):  # `fit` sums in any order; a step changes 0.1
            tolerance = {"atol": 1e-3}
        if name.startswith("half precision"):  # 8 bits
            tolerance = {"rtol": 0.02, "atol": 0.02}
        np.testing.assert_allclose(received[name], written[name], **tolerance, err_msg=name)


def assert_read(received, written, keras_files: bool) -> None:
    """All was read, Keras 3's .keras files by Keras 3 alone, with the answers of the writer."""
    assert {name for name in written if ".keras" in name} > {"original.keras", "caffenet.keras"}
    assert received.keys() == {n for n in written if keras_files or ".keras" not in n}
    compare(received, written)


def test_what_the_other_wrote(tmp_path):
    by_other("-m", "tests.end_to_end.carried", "write", str(tmp_path))
    assert_read(carried.read(tmp_path), np.load(tmp_path / "written.npz"), keras_files=KERAS_3)


def test_what_the_other_reads(tmp_path):
    written = carried.write(tmp_path)
    output = by_other("-m", "tests.end_to_end.carried", "read", str(tmp_path))
    assert_read(np.load(tmp_path / "read.npz"), written, keras_files=not KERAS_3)
    refused = f"expected a .keras file of Keras 2, received one of Keras {keras.__version__}"
    assert output.count(refused) == (len(carried.FILES) if KERAS_3 else 0)
