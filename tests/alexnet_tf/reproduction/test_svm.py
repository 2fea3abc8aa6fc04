"""HOG by hand, and support vector machines on pictures whose classes can or cannot be told."""

import importlib.util

import numpy as np
import pytest

from alexnet_tf.data import reader
from alexnet_tf.data.split import Share, Split
from alexnet_tf.errors import ConfigError
from alexnet_tf.reproduction import svm
from alexnet_tf.reproduction.baseline import BASELINES, Baseline
from alexnet_tf.reproduction.hog import hog_features
from alexnet_tf.reproduction.svm import PACKAGES, evaluate
from preprocessing.dataset.info import read_info
from tests import tiny_datasets

pytest.importorskip("skimage")
pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four classes, told by where a bright square lies."""
    directory = tmp_path_factory.mktemp("data")
    tiny_datasets.write(directory, counts={"train": 150, "validation": 60}, size=24)
    return directory


def by_hand(image, cell):
    """HOG pixel by pixel: float64 [(side/cell − 1)² · 36]."""
    pixels = image.astype(np.float64)
    side = len(pixels)
    vertical, horizontal = np.zeros_like(pixels), np.zeros_like(pixels)
    vertical[1:-1] = pixels[2:] - pixels[:-2]
    horizontal[:, 1:-1] = pixels[:, 2:] - pixels[:, :-2]
    size = np.hypot(vertical, horizontal)
    votes = np.zeros((side // cell, side // cell, 9))
    for y in range(side // cell * cell):
        for x in range(side // cell * cell):
            channel = size[y, x].argmax()
            angle = np.rad2deg(np.arctan2(vertical[y, x, channel], horizontal[y, x, channel])) % 180
            votes[y // cell, x // cell, int(angle // 20) % 9] += size[y, x, channel] / cell**2
    blocks = []
    for y in range(len(votes) - 1):
        for x in range(len(votes) - 1):
            block = votes[y : y + 2, x : x + 2].ravel()
            block = np.minimum(block / np.sqrt((block**2).sum() + 1e-10), 0.2)
            blocks.append(block / np.sqrt((block**2).sum() + 1e-10))
    return np.concatenate(blocks)


def test_features_are_those_of_a_loop_over_pixels(data):
    split = Split(data, read_info(data), "validation")
    features = hog_features(split, 8)
    assert features.values.shape == (60, 4 * 36)
    batch = next(iter(reader.evaluation_batches(split, 24, Share(5))))
    assert features.labels[:5].tolist() == batch["label"].numpy().tolist()
    for image, values in zip(batch["image"].numpy(), features.values, strict=False):
        np.testing.assert_allclose(values, by_hand(image, 8), atol=1e-6)


@pytest.mark.parametrize(
    "baseline",
    [Baseline("linear", c=1, cell=4), Baseline("rbf", c=10, cell=4, variance=0.9, pictures=120)],
)
def test_classes_that_can_be_told_are_told(data, baseline):
    wrong = evaluate(baseline, data, seed=1)
    assert wrong.shape == (60,)
    assert wrong.dtype == bool
    assert wrong.mean() < 0.2


def test_a_part_is_the_seeds(data):
    some = Baseline("rbf", c=1, cell=4, pictures=7)
    first, again, other = (evaluate(some, data, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_fraction_is_the_first_records(data, monkeypatch):
    seen = []
    monkeypatch.setattr(
        svm, "hog_features", lambda split, cell: seen.append(split) or hog_features(split, cell)
    )
    evaluate(Baseline("linear", c=1, fraction=0.5), data, seed=1)
    assert [(split.name, sum(split.counts)) for split in seen] == [
        ("train", 75),
        ("validation", 60),
    ]
    assert seen[0] == Split(data, read_info(data), "train").first(0.5)


def test_images_without_room_for_a_block(data):
    with pytest.raises(
        ConfigError, match="at least 26 pixels for HOG's blocks of cells, received 24"
    ):
        evaluate(Baseline("linear", c=1, cell=13), data, seed=1)


def test_a_missing_extra_is_one_line(monkeypatch, data):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "skimage" else find(name)
    )
    with pytest.raises(ConfigError, match=r"no scikit-image; pip install '\.\[baselines\]'"):
        evaluate(BASELINES["hog-linear-svm"], data, seed=1)
    assert PACKAGES.keys() == {"skimage", "sklearn"}
