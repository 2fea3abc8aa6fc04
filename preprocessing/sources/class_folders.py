"""Images of the user's own: a folder for each class; labels in the order of sorted names."""

import math

import numpy as np

from preprocessing.dataset.example import UNLABELLED
from preprocessing.dataset.info import ClassName
from preprocessing.errors import DatasetError
from preprocessing.sources.layout import LAYOUTS, split_folders
from preprocessing.sources.lister import Lister, Report
from preprocessing.sources.listing import ImageList, Listing
from preprocessing.storage.files import Files


def list_folder(
    files: Files,
    folder: str,
    report: Report,
    seed: int,
    validation_fraction: float,
    follow_links: bool = False,
) -> Listing:
    """INPUT/{train,val,test}/<class>/* or INPUT/<class>/*; other names of splits in layout.py.

    Without a validation folder, a seeded part of each class's training images is held out. Files
    directly in test/ are unlabelled.

    Args:
        follow_links: take class folders that are links too; they lead out of the input.

    Raises:
        DatasetError: no class folders, an empty one, validation classes that training lacks, or
            folders that are meant otherwise.
    """
    lister = Lister(files, folder, report, follow_links)
    parts = split_folders(files, folder)
    classes = lister.class_folders(parts["train"])
    if not classes:
        raise DatasetError(
            f"expected a folder for each class in {parts['train']!r}, found none; {LAYOUTS}"
        )
    lister.listing.classes = tuple(ClassName(name, name) for name in classes)
    labels = {name: label for label, name in enumerate(classes)}
    for split, path in parts.items():
        _add_class_folders(lister, split, path, labels)
    files.forget()
    if "validation" not in parts:
        _hold_out(lister.listing, seed, validation_fraction)
    return lister.listing


def _add_class_folders(lister: Lister, split: str, path: str, labels: dict[str, int]) -> None:
    files = lister.files
    names = classes = lister.class_folders(path) if split != "train" else list(labels)
    if split == "test" and not classes:
        lister.add_folder(split, path, lambda _: UNLABELLED)
        lister.check_found(split, path)
        return
    for name in names:
        if name not in labels:
            raise DatasetError(
                f"expected the classes of the training images in {path!r}, received {name!r}"
            )
        lister.add_folder(split, files.join(path, name), lambda _, label=labels[name]: label)
    lister.check_found(split, path)


def _hold_out(listing: Listing, seed: int, fraction: float) -> None:
    """Moves a seeded part of each class from the training to the validation split."""
    images = listing.splits.setdefault("train", ImageList())
    labels = images.labels
    # Class by class, each in its seeded order.
    order = np.lexsort((listing.order_hashes("train", seed, "held-out/"), labels))
    ends = np.cumsum(np.bincount(labels, minlength=len(listing.classes)))
    held_out = np.zeros(len(images), bool)
    begin = 0
    for name, end in zip(listing.classes, ends.tolist(), strict=True):
        members = end - begin
        if not members:
            raise DatasetError(
                f"expected images of class {name.synset!r}, found none that can be read"
            )
        count = max(1, math.floor(members * fraction + 0.5)) if fraction > 0 else 0
        if count >= members:
            raise DatasetError(
                f"expected at least {count + 1} images of class {name.synset!r} to hold out "
                f"{count} for validation, found {members}; add images, or hold none out with "
                "--validation-fraction 0"
            )
        held_out[order[begin : begin + count]] = True
        begin = end
    if held_out.any():
        listing.splits["validation"] = images.take_out(held_out)
