"""A dataset with ILSVRC's test archive, whose images have no labels."""

import shutil
import tarfile

import pytest

from alexnet_tf import evaluate
from alexnet_tf.errors import ConfigError
from preprocessing.__main__ import main as preprocessing
from preprocessing.dataset.info import read_info


@pytest.fixture(scope="module")
def data(made, tmp_path_factory):
    """The dataset of `made`, and half of its validation images as a test split without labels."""
    root = tmp_path_factory.mktemp("unlabelled")
    archives = root / "archives"
    shutil.copytree(made.archives, archives)
    with (
        tarfile.open(made.archives / "ILSVRC2012_img_val.tar") as validation,
        tarfile.open(archives / "ILSVRC2012_img_test_v10102019.tar", "w") as test,
    ):
        for member in validation.getmembers()[:10]:
            file = validation.extractfile(member)
            member.name = member.name.replace("ILSVRC2012_val", "test/ILSVRC2012_test")
            test.addfile(member, file)
    source = ["--source", "ilsvrc2012", "--input", str(archives)]
    options = ["--output", str(root / "data"), "--image-size", "72"]
    in_memory = ["--direct_running_mode", "in_memory"]
    assert preprocessing(["convert", *source, *options, *in_memory]) == 0
    return root / "data"


def test_both_splits_are_there_and_sound(made, data):
    info = read_info(data)
    assert info.num_examples("test") == 10
    assert info.splits["train"] == read_info(made.data).splits["train"]
    assert preprocessing(["verify", str(data), "--workers", "1"]) == 0


def test_evaluation_refuses_images_without_labels(made, data):
    arguments = ["--run", str(made.run), "--data", str(data)]
    with pytest.raises(ConfigError, match=r"expected labelled images, 'test' has") as caught:
        evaluate.main([*arguments, "--split", "test"])
    assert "\n" not in str(caught.value)
    pair = [*arguments, "--run", str(made.run), "--search-weights", "--split", "test"]
    with pytest.raises(ConfigError, match="expected labelled images"):
        evaluate.main(pair)
