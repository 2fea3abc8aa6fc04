"""Support vector machines on HOG features: learned and evaluated, on a dataset's own records.

scikit-image and scikit-learn are an extra, `pip install '.[baselines]'`.
"""

from __future__ import annotations

import importlib.util
import os

import numpy as np

from alexnet_tf.data.split import Split
from alexnet_tf.errors import ConfigError, JobError
from alexnet_tf.reproduction.baseline import Baseline
from alexnet_tf.reproduction.hog import Features, hog_features
from preprocessing.dataset.info import read_info

PACKAGES = {"skimage": "scikit-image", "sklearn": "scikit-learn"}


def evaluate(baseline: Baseline, data: str | os.PathLike, seed: int) -> np.ndarray:
    """Learns the training split of the dataset in directory `data`.

    Returns bool [pictures], which of the validation split's, in stored order, are taken for another
    class: as a network's outcome has it.

    Args: seed, of which pictures are taken, where it is a part.
    Raises:
        ConfigError: scikit-image or scikit-learn is missing; the images are smaller than two
            cells; the training pictures are none, or all of one class; a split has unlabelled
            pictures.
        DatasetError, JobError: no complete dataset, or its records cannot be read.
    """
    expect_packages()
    info = read_info(data)
    if info.image_size < 2 * baseline.cell:
        raise ConfigError(
            f"expected images of at least {2 * baseline.cell} pixels for HOG's blocks of cells,"
            f" received {info.image_size} in {os.fspath(data)}"
        )
    splits = Split(data, info, "train").first(baseline.fraction), Split(data, info, "validation")
    train, validation = (
        _labelled(hog_features(split, baseline.cell), split.name) for split in splits
    )
    values, labels = _part(train, baseline.pictures, seed)
    if len(np.unique(labels)) < 2:
        raise ConfigError(f"expected training pictures of several classes in {os.fspath(data)}")
    machine = _machine(baseline, seed)
    try:
        machine.fit(values, labels)
    except MemoryError as error:
        raise JobError(f"out of memory with {len(values):,} pictures") from error
    return machine.predict(validation.values) != validation.labels


def expect_packages() -> None:
    """Raises ConfigError where the extra is not installed."""
    missing = [name for module, name in PACKAGES.items() if not importlib.util.find_spec(module)]
    if missing:
        raise ConfigError(
            f"baselines expect {' and '.join(PACKAGES.values())}, received no"
            f" {' and no '.join(missing)}; pip install '.[baselines]'"
        )


def _labelled(features: Features, split: str) -> Features:
    if (features.labels < 0).any():
        raise ConfigError(f"expected labelled images, the split {split!r} has unlabelled ones")
    return features


def _part(features: Features, count: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    if count is None or count >= len(features.labels):
        return features.values, features.labels
    chosen = np.random.default_rng(seed).choice(len(features.labels), count, replace=False)
    return features.values[chosen], features.labels[chosen]


def _machine(baseline: Baseline, seed: int):
    """scikit-learn's estimator, not yet fitted."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC, LinearSVC

    steps = []
    if baseline.variance is not None:
        steps.append(PCA(baseline.variance, svd_solver="full"))
    if baseline.machine == "linear":
        steps.append(LinearSVC(C=baseline.c, dual=False, random_state=seed))
    else:
        steps.append(SVC(C=baseline.c, cache_size=500))  # MB
    return make_pipeline(*steps)
