"""A name too long for the system, wherever one is given, is told in one line."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from alexnet_tf import evaluate, export, import_weights, predict
from alexnet_tf.config import files as config_files
from alexnet_tf.errors import ConfigError, UserError
from alexnet_tf.foreign_weights.description import read_classes
from alexnet_tf.foreign_weights.files import open_arrays
from alexnet_tf.runs.fine_tuning import fine_tune
from alexnet_tf.runs.initial_weights import assign_initial
from alexnet_tf.serving.load import load_saved_model

LONG = "x" * 300


def told(call) -> str:
    with pytest.raises(UserError) as raised:
        call()
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("suffix", ["", ".yaml"])
def test_of_a_configuration(suffix):
    assert "YAML" in told(lambda: config_files.load(LONG + suffix))


def test_of_a_saved_model():
    assert "--model: expected a SavedModel" in told(lambda: load_saved_model(LONG))


def test_of_an_image_it_is_taken_for_a_file():
    """Which is then one of those that cannot be read, while others are answered."""
    assert list(predict.files_in([LONG])) == [LONG]


def test_of_an_export():
    export._check_output(Path(LONG), overwrite=False)  # nothing is there; to write it is told
    with pytest.raises(ConfigError, match="File name too long"), export.writing(LONG):
        Path(LONG).mkdir()


def test_of_weights_and_classes():
    def read(path):
        with open_arrays(path):
            pytest.fail("opened what cannot be")

    assert "which is no file" in told(lambda: read(Path(f"{LONG}.npz")))
    assert "--classes: expected a text file" in told(lambda: read_classes(Path(LONG), 2))
    given = ["--format", "caffe", "--run", "run", "--input", f"{LONG}.npz"]
    assert "which is no file" in told(lambda: import_weights.main(given))


def test_of_a_run(tmp_path):
    assert "--compare: expected a run" in told(lambda: evaluate.main(["--compare", LONG]))
    assert "dataset_info.json" in told(lambda: fine_tune(LONG, tmp_path, tmp_path / "run"))
    config = config_files.parse({"init_from": {"path": LONG}})
    line = told(lambda: assign_initial(SimpleNamespace(config=config), []))
    assert "init_from.format: expected" in line
