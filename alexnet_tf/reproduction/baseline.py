"""The paradigm that AlexNet beat, as data: which features, which support vector machine."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Baseline:
    """A classifier of HOG features.

    cell: the side of HOG's cells, in pixels. c: the weight of the errors, scikit-learn's C.
    variance: the share of it that the principal components keep; None: features as they are.
    pictures: a random part of the training split, at most so many, as the time that a Gaussian
    kernel takes grows with their square; None: all. fraction: of the training split, its first
    records, as `data.fraction`.
    """

    machine: Literal["linear", "rbf"]
    c: float
    cell: int = 8
    variance: float | None = None
    pictures: int | None = None
    fraction: float = 1.0


# As others did on CIFAR-10, with accuracies of 50.0 % (LuoXubo/PRML2023, proj3: LinearSVC) and 62 %
# (LemuelKL/CIFAR10-HOG-PCA-SVM: gray pictures, 80 % of the variance, standardized, C 10, trained on
# all). Chosen on CIFAR-10's last 10,000 training pictures, after learning others: C 0.1 of 0.01 and
# 0.1 (errors 51.2, 49.5 %); of the first 3,000 of them, after learning 5,000, 90 % of the variance
# of 80 and 90 (49.5, 49.4 %), not standardized (52.0, 50.6 %).
# Pictures of 64 pixels have 1,764 numbers instead of 324. On 100 ImageNet classes, of the training
# pictures after learning the first 6,000, on the last 2,000: linear, C 0.001, 0.003, 0.01, 0.03 and
# 0.1 (errors 89.9, 90.0, 90.7, 90.8, 92.6 %); Gaussian, C 1, 3, 10 and 30 with 90 % of the variance
# (87.8, 86.4, 86.4, 86.4 %) and with 80 (87.1, 86.2, 86.1, 86.1 %): alike, so 10 and 90 % stay.
BASELINES = {
    "hog-linear-svm": Baseline("linear", c=0.1),
    "hog-linear-svm-64": Baseline("linear", c=0.003),
    "hog-rbf-svm": Baseline("rbf", c=10.0, variance=0.9, pictures=50_000),
}


def settings_of(name: str, fraction: float = 1.0) -> dict[str, Any]:
    """Of a baseline of BASELINES; a fraction is named where it is not all."""
    settings = dataclasses.asdict(dataclasses.replace(BASELINES[name], fraction=fraction))
    return {key: value for key, value in settings.items() if (key, value) != ("fraction", 1.0)}


def baseline_identity(name: str, fingerprint: str, fraction: float = 1.0) -> str:
    """Of a baseline of BASELINES on a dataset: its name and twelve digits."""
    content = json.dumps([settings_of(name, fraction), fingerprint], sort_keys=True)
    return f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
