"""Which datasets a run can be measured on."""

import re

import numpy as np
import pytest

from alexnet_tf.config import files as config_files
from alexnet_tf.data.augment import InputTransform
from alexnet_tf.errors import ConfigError
from alexnet_tf.evaluation.labelled_split import count_errors, open_split
from alexnet_tf.network import model as network
from alexnet_tf.runs.directory import Run
from tests import tiny_datasets


def run_with(tmp_path, mean: str) -> Run:
    """Of images of 72 pixels, seen in crops of 64."""
    info = tiny_datasets.write(tmp_path / "own", size=72)
    tree = {"network": {"input_size": 64, "width": 0.05}, "data": {"mean": mean}}
    config = config_files.parse(tree).with_classes(len(info.classes))
    return Run(tmp_path / "run", config, info, np.zeros((72, 72, 3), np.float32))


@pytest.mark.parametrize("size", [64, 80])
def test_a_mean_under_the_crop_is_of_images_of_its_size(tmp_path, size):
    """Crops of smaller images would be taken the mean of other places, of larger ones of none."""
    run, other = run_with(tmp_path, "crop"), tmp_path / "other"
    tiny_datasets.write(other, size=size)
    open_split([run], tmp_path / "own", "validation")
    line = rf"^expected images of 72 pixels, .* received {size} in {re.escape(str(other))}; convert"
    with pytest.raises(ConfigError, match=line) as raised:
        open_split([run], other, "validation")
    assert "\n" not in str(raised.value)


def test_another_mean_goes_with_images_of_other_sizes(tmp_path):
    run = run_with(tmp_path, "center")
    tiny_datasets.write(tmp_path / "other", size=80)
    split = open_split([run], tmp_path / "other", "validation")
    transform = InputTransform(run.mean_image, run.info.color, run.config.data, 64)
    networks = [(network.build(run.config.network), transform)]
    assert count_errors(networks, split, 10).result.examples == 10
