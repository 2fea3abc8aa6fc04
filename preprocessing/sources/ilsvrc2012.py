"""The official ILSVRC2012 archives as they are, or the extracted layout.

Labels are 0-based in the order of sorted WNIDs.
"""

import re
from collections.abc import Callable, Iterable

from preprocessing.dataset.example import UNLABELLED
from preprocessing.dataset.info import ClassName
from preprocessing.errors import DatasetError
from preprocessing.sources.devkit import ARCHIVE as DEVKIT_ARCHIVE
from preprocessing.sources.devkit import GROUND_TRUTH, META, WNID, Devkit, find_devkit
from preprocessing.sources.layout import subfolders
from preprocessing.sources.lister import Lister, Report
from preprocessing.sources.listing import Listing
from preprocessing.storage.files import Files
from preprocessing.storage.tar import list_tar

TRAIN_ARCHIVE = "ILSVRC2012_img_train.tar"
VALIDATION_ARCHIVE = "ILSVRC2012_img_val.tar"
TEST_ARCHIVES = ("ILSVRC2012_img_test.tar", "ILSVRC2012_img_test_v10102019.tar")

_VALIDATION_NAME = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG", re.ASCII)


def list_ilsvrc2012(
    files: Files, folder: str, report: Report, follow_links: bool = False
) -> Listing:
    """The official archives as they are, or the extracted layout; each split may be either.

    Args:
        follow_links: take folders that are links too; they lead out of the input.

    Raises:
        DatasetError: something is missing, damaged, or does not fit the development kit.
    """
    lister = Lister(files, folder, report, follow_links)
    train = _archive_or_folder(files, folder, (TRAIN_ARCHIVE,), "train")
    validation = _archive_or_folder(files, folder, (VALIDATION_ARCHIVE,), "val")
    kit = find_devkit(files, folder)
    if files.is_file(files.join(folder, DEVKIT_ARCHIVE)):
        lister.identify(DEVKIT_ARCHIVE, files.join(folder, DEVKIT_ARCHIVE))
    labels = _add_ilsvrc_train(lister, train, kit)
    _add_ilsvrc_validation(lister, validation, kit, labels)
    test = _archive_or_folder(files, folder, TEST_ARCHIVES, "test", required=False)
    if test:
        _add_flat(lister, "test", test, lambda _: UNLABELLED)
    return lister.listing


def _archive_or_folder(
    files: Files, folder: str, archives: Iterable[str], name: str, required: bool = True
) -> str | None:
    """The path of a split's archive, else of its folder."""
    for archive in archives:
        if files.is_file(files.join(folder, archive)):
            return files.join(folder, archive)
    if files.is_folder(files.join(folder, name)):
        return files.join(folder, name)
    if not required:
        return None
    names = ", ".join(files.names(folder)[:5]) or "nothing"
    raise DatasetError(
        f"expected {' or '.join(archives)} or a folder {name}/ in {folder!r}, found {names}"
    )


def _add_ilsvrc_train(lister: Lister, path: str, kit: Devkit | None) -> dict[str, int]:
    """Adds the training split and the classes; returns the label of each WNID."""
    files = lister.files
    if files.is_folder(path):
        wnids = lister.class_folders(path)
        labels = _set_ilsvrc_classes(lister, wnids, path, kit)
        for wnid, label in labels.items():
            lister.add_folder("train", files.join(path, wnid), lambda _, label=label: label)
        lister.check_found("train", path)
        return labels
    lister.identify(TRAIN_ARCHIVE, path)
    with files.open(path) as file:
        inner = {member.name: member for member in list_tar(file, path)}
        wnids = [name.rpartition("/")[2].removesuffix(".tar") for name in inner]
        labels = _set_ilsvrc_classes(lister, wnids, path, kit)
        container = lister.listing.add_container("archive", path)
        for wnid, (name, member) in zip(wnids, inner.items(), strict=True):
            before = len(lister.listing.splits.get("train", ()))
            start, end = member.offset, member.offset + member.size
            lister.add_tar(
                "train",
                file,
                container,
                f"{path}:{name}",
                lambda _, label=labels[wnid]: label,
                start,
                end,
            )
            if len(lister.listing.splits.get("train", ())) == before:
                raise DatasetError(f"expected images in {path}:{name}, found none")
    return labels


def _set_ilsvrc_classes(
    lister: Lister, wnids: list[str], where: str, kit: Devkit | None
) -> dict[str, int]:
    for wnid in wnids:
        if not WNID.fullmatch(wnid):
            raise DatasetError(
                f"expected one archive or folder per WNID (n and 8 digits) in {where}, "
                f"received {wnid!r}"
            )
        if kit and wnid not in kit.texts:
            raise DatasetError(
                f"the development kit does not fit {where}: {wnid} is not among the "
                f"{len(kit.texts)} classes of {META}"
            )
    if not wnids:
        raise DatasetError(f"expected one archive or folder per WNID in {where}, found none")
    if len(set(wnids)) != len(wnids):
        raise DatasetError(f"expected each WNID once in {where}, received one twice")
    lister.listing.classes = tuple(
        ClassName(wnid, kit.texts[wnid] if kit else wnid) for wnid in sorted(wnids)
    )
    return {wnid: label for label, wnid in enumerate(sorted(wnids))}


def _add_ilsvrc_validation(
    lister: Lister, path: str, kit: Devkit | None, labels: dict[str, int]
) -> None:
    files = lister.files
    if files.is_folder(path) and subfolders(files, path):
        for wnid in lister.class_folders(path):
            if wnid not in labels:
                raise DatasetError(f"expected folders of trained classes in {path}, found {wnid!r}")
            lister.add_folder("validation", files.join(path, wnid), lambda _, w=wnid: labels[w])
        lister.check_found("validation", path)
        if kit:
            _check_against_kit(lister, path, kit, labels)
        return
    if kit is None:
        raise DatasetError(
            f"expected {DEVKIT_ARCHIVE} in {lister.folder!r}: the labels of {path} are in it"
        )
    _add_flat(lister, "validation", path, lambda name: _validation_label(name, path, kit, labels))
    numbers = sorted(_validation_number(ref.name) for ref in lister.listing.splits["validation"])
    if numbers != list(range(1, len(kit.validation) + 1)):
        raise DatasetError(
            f"the development kit does not fit {path}: {GROUND_TRUTH} has {len(kit.validation)} "
            f"lines, the archive {len(numbers)} images"
        )


def _add_flat(lister: Lister, split: str, path: str, label_of: Callable[[str], int]) -> None:
    """Adds the images of an archive or folder without classes."""
    if lister.files.is_folder(path):
        lister.add_folder(split, path, label_of)
    else:
        lister.identify(path.rpartition("/")[2], path)
        with lister.files.open(path) as file:
            container = lister.listing.add_container("archive", path)
            lister.add_tar(split, file, container, path, label_of)
    lister.check_found(split, path)


def _validation_number(name: str) -> int:
    match = _VALIDATION_NAME.fullmatch(name)
    return int(match[1]) if match else 0


def _validation_label(name: str, where: str, kit: Devkit, labels: dict[str, int]) -> int:
    """The label of a validation image, from the number in its name."""
    number = _validation_number(name)
    if not 1 <= number <= len(kit.validation):
        raise DatasetError(
            f"the development kit does not fit {where}: expected ILSVRC2012_val_00000001.JPEG to "
            f"{len(kit.validation):08d}.JPEG as {GROUND_TRUTH} has lines, received {name!r}"
        )
    wnid = kit.validation[number - 1]
    if wnid not in labels:
        raise DatasetError(
            f"the development kit does not fit the archives: {name} is of class {wnid}, which the "
            f"training images do not have"
        )
    return labels[wnid]


def _check_against_kit(lister: Lister, path: str, kit: Devkit, labels: dict[str, int]) -> None:
    """Validation folders must agree with the ground truth where names are the official ones."""
    for ref in lister.listing.splits["validation"]:
        name = ref.name.rpartition("/")[2]
        if _validation_number(name) and _validation_label(name, path, kit, labels) != ref.label:
            wnid = lister.listing.classes[ref.label].synset
            raise DatasetError(
                f"the development kit does not fit {path}: {name} is in folder {wnid}, but its "
                f"class is {kit.validation[_validation_number(name) - 1]}"
            )
