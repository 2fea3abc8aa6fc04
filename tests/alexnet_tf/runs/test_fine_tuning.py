"""What `fine_tune` makes of its arguments; that it trains is in test_initial_weights.py."""

import pytest

from alexnet_tf import fine_tune
from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import DataConfig
from alexnet_tf.errors import JobError
from alexnet_tf.runs import directory as run_directory
from alexnet_tf.runs import fine_tuning
from alexnet_tf.runs.session import Ending
from tests import tiny_datasets


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    tiny_datasets.write(path, classes=3)
    return path


@pytest.fixture(scope="module")
def source(data, tmp_path_factory):
    """A run whose data settings suit its own images."""
    sections = {
        "network": {"input_size": 64, "width": 0.1},
        "data": {"mean": "crop", "fraction": 0.5, "crop_positions": 1, "flip": False},
    }
    path = tmp_path_factory.mktemp("source") / "run"
    run_directory.begin(path, config_files.parse(sections), data)
    return path


@pytest.mark.parametrize(
    ("ending", "error"),
    [(Ending.STOPPED, JobError), (Ending.INTERRUPTED, KeyboardInterrupt)],
)
def test_a_run_gives_its_network_and_mean_and_what_was_stopped_is_no_result(
    source, data, tmp_path, monkeypatch, ending, error
):
    asked = []
    monkeypatch.setattr(fine_tuning, "train", lambda config, *_: asked.append(config) or ending)
    with pytest.raises(error):
        fine_tune(source, data, tmp_path / "new", data={"chunk": 2})
    [config] = asked
    assert config.data == DataConfig(mean="crop", chunk=2)
    assert (config.network.width, config.network.input_size) == (0.1, 64)
    assert config.init_from.path == str(source)
