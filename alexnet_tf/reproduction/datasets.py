"""The data that claims are about: what a dataset directory must be, and how to get it."""

from __future__ import annotations

from dataclasses import dataclass, field

from alexnet_tf.errors import ConfigError
from preprocessing.dataset.info import DatasetInfo


@dataclass(frozen=True)
class ClaimData:
    """A dataset that claims name. Whatever is None or empty may be anything.

    images: of each split that it must have; of a thousand one may be missing, as a reject.
    how: to get it, in a line.
    """

    what: str
    how: str
    classes: int | None = None
    image_size: int | None = None
    images: dict[str, int] = field(default_factory=dict)

    def check(self, info: DatasetInfo, where: str) -> None:
        """Raises ConfigError in one line: which data are needed, how to get them, what came."""
        if info.image_size != (self.image_size or info.image_size):
            self._refuse(f"images of {info.image_size} pixels in {where}")
        if len(info.classes) != (self.classes or len(info.classes)):
            self._refuse(f"{len(info.classes)} classes in {where}")
        if "validation" not in info.splits:
            self._refuse(f"a dataset without a validation split in {where}")
        for split, count in self.images.items():
            found = info.num_examples(split) if split in info.splits else 0
            if not 0.999 * count <= found <= count:
                self._refuse(f"{found:,} {split} images in {where}")

    def _refuse(self, received: str) -> None:
        raise ConfigError(f"expected {self.what}, received {received}; to get them: {self.how}")


_CONVERT = "python -m preprocessing convert --source"
DATASETS = {
    "any": ClaimData("labelled pictures with a validation split", "make demo"),
    "cifar10": ClaimData(
        "CIFAR-10, 50,000 + 10,000 pictures of 32 pixels",
        f"{_CONVERT} cifar10 --input cifar-10-binary.tar.gz --output DATA",
        10,
        32,
        {"train": 50_000, "validation": 10_000},
    ),
    "imagenet100": ClaimData(
        "100 classes of ImageNet, 45,000 + 10,000 pictures of 64 pixels",
        f"{_CONVERT} folder --input SUBSET --output DATA --image-size 64 --encoding raw, of a"
        " SUBSET made as in BUILD.md, Claims",
        100,
        64,
        {"train": 45_000, "validation": 10_000},
    ),
    "ilsvrc2012": ClaimData(
        "ILSVRC2012, 1,000 classes, pictures of 256 pixels",
        f"{_CONVERT} ilsvrc2012 --input ARCHIVES --output DATA",
        1000,
        256,
        {"train": 1_281_167, "validation": 50_000},
    ),
}
