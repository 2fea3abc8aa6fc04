"""The sources of pictures: ILSVRC2012 archives or folders, class folders, CIFAR-10 -> Listing.

Nothing is extracted or decoded. Labels are 0-based in the order of sorted WNIDs or class folders.
"""

import hashlib
import math
import re
from collections.abc import Callable, Iterable

import numpy as np

from preprocessing.archives import list_tar
from preprocessing.dataset import UNLABELLED, ClassName, DatasetError
from preprocessing.devkit import ARCHIVE as DEVKIT_ARCHIVE
from preprocessing.devkit import GROUND_TRUTH, META, WNID, Devkit, find_devkit
from preprocessing.files import Files
from preprocessing.listing import ImageList, ImageRef, Listing, RejectEntry, seeded_hashes

SOURCES = ("ilsvrc2012", "folder", "cifar10")
TRAIN_ARCHIVE = "ILSVRC2012_img_train.tar"
VALIDATION_ARCHIVE = "ILSVRC2012_img_val.tar"
TEST_ARCHIVES = ("ILSVRC2012_img_test.tar", "ILSVRC2012_img_test_v10102019.tar")

_VALIDATION_NAME = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG", re.ASCII)

Report = Callable[[int], None]  # called with the number of pictures listed so far


class _Lister:
    """Collects a Listing; the sources below fill it."""

    def __init__(self, files: Files, folder: str, report: Report):
        self.files = files
        self.folder = folder
        self.report = report
        self.listing = Listing()
        self._count = 0

    def add(self, split: str, ref: ImageRef) -> None:
        self.listing.add(split, ref)
        self._count += 1
        if self._count % 1000 == 0:
            self.report(self._count)

    def reject(self, split: str, name: str, where: str, reason: str, detail: str) -> None:
        self.listing.rejects.append(RejectEntry(split, name, where, reason, detail))

    def identify(self, item: str, path: str) -> None:
        """Notes the state of one input file."""
        entry = self.files.entry(path)
        self.listing.identity[item] = f"{entry.size} bytes, changed {entry.changed}"

    def add_tar(self, split, file, container, path, label, start=0, end=None, label_of=None):
        """Adds the pictures of a tar archive (or of one inside another)."""
        for member in list_tar(file, path, start, end):
            name = member.name.rpartition("/")[2]
            if member.problem:
                detail = f"{member.name!r} is no regular file of a plain name"
                self.reject(split, name, path, member.problem, detail)
                continue
            number = label_of(name) if label_of else label
            self.add(split, ImageRef(container, name, member.offset, member.size, number))

    def add_folder(self, split: str, path: str, label_of: Callable[[str], int]) -> None:
        """Adds the pictures below a folder; what it holds is identified by a digest."""
        container = self.listing.add_container("folder", path)
        digest, count = hashlib.sha256(), 0
        for entry in self.files.walk(path):
            digest.update(repr(entry).encode("utf-8", "surrogateescape"))
            count += 1
            if entry.size < 0:
                self.reject(split, entry.name, path, "link", "it leads nowhere")
            else:
                label = label_of(entry.name)
                self.add(split, ImageRef(container, entry.name, -1, entry.size, label))
        if not count:
            raise DatasetError(f"expected pictures in {path!r}, found an empty folder")
        relative = path[len(self.folder) :].lstrip("/")
        self.listing.identity[f"folder {relative}"] = f"{count} files, {digest.hexdigest()[:16]}"

    def class_folders(self, path: str) -> list[str]:
        """Sorted names of the folders in a folder; other files in it are counted as ignored."""
        names = [name for name in self.files.names(path) if not name.startswith(".")]
        folders = [name for name in names if self.files.is_folder(self.files.join(path, name))]
        self.listing.ignored += len(names) - len(folders)
        return folders


# --- ILSVRC2012 ---------------------------------------------------------------------------------


def list_ilsvrc2012(files: Files, folder: str, report: Report) -> Listing:
    """The official archives as they are, or the extracted layout; each split may be either.

    Raises:
        DatasetError: something is missing, damaged, or does not fit the development kit.
    """
    lister = _Lister(files, folder, report)
    train = _archive_or_folder(files, folder, (TRAIN_ARCHIVE,), "train")
    validation = _archive_or_folder(files, folder, (VALIDATION_ARCHIVE,), "val")
    kit = find_devkit(files, folder)
    if files.is_file(files.join(folder, DEVKIT_ARCHIVE)):
        lister.identify(DEVKIT_ARCHIVE, files.join(folder, DEVKIT_ARCHIVE))
    labels = _add_ilsvrc_train(lister, train, kit)
    _add_ilsvrc_validation(lister, validation, kit, labels)
    test = _archive_or_folder(files, folder, TEST_ARCHIVES, "test", required=False)
    if test:
        _add_flat(lister, "test", test, lambda name: UNLABELLED)
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
    found = ", ".join(files.names(folder)[:5]) or "nothing"
    raise DatasetError(
        f"expected {' or '.join(archives)} or a folder {name}/ in {folder!r}, found {found}"
    )


def _add_ilsvrc_train(lister: _Lister, path: str, kit: Devkit | None) -> dict[str, int]:
    """Adds the training split and the classes; returns the label of each WNID."""
    files = lister.files
    if files.is_folder(path):
        wnids = lister.class_folders(path)
        labels = _set_ilsvrc_classes(lister, wnids, path, kit)
        for wnid, label in labels.items():
            lister.add_folder("train", files.join(path, wnid), lambda name, label=label: label)
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
            lister.add_tar("train", file, container, f"{path}:{name}", labels[wnid], start, end)
            if len(lister.listing.splits.get("train", ())) == before:
                raise DatasetError(f"expected pictures in {path}:{name}, found none")
    return labels


def _set_ilsvrc_classes(
    lister: _Lister, wnids: list[str], where: str, kit: Devkit | None
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
    lister: _Lister, path: str, kit: Devkit | None, labels: dict[str, int]
) -> None:
    files = lister.files
    if files.is_folder(path) and any(
        files.is_folder(files.join(path, name)) for name in files.names(path)
    ):
        for wnid in lister.class_folders(path):
            if wnid not in labels:
                raise DatasetError(f"expected folders of trained classes in {path}, found {wnid!r}")
            lister.add_folder("validation", files.join(path, wnid), lambda _, w=wnid: labels[w])
        if kit:
            _check_against_kit(lister, path, kit, labels)
        return
    if kit is None:
        raise DatasetError(
            f"expected {DEVKIT_ARCHIVE} in {lister.folder!r}: the labels of {path} are in it"
        )
    _add_flat(lister, "validation", path, lambda name: _truth(name, path, kit, labels))
    numbers = sorted(_number(ref.name) for ref in lister.listing.splits["validation"])
    if numbers != list(range(1, len(kit.validation) + 1)):
        raise DatasetError(
            f"the development kit does not fit {path}: {GROUND_TRUTH} has {len(kit.validation)} "
            f"lines, the archive {len(numbers)} pictures"
        )


def _add_flat(lister: _Lister, split: str, path: str, label_of: Callable[[str], int]) -> None:
    """Adds the pictures of an archive or folder without classes."""
    if lister.files.is_folder(path):
        lister.add_folder(split, path, label_of)
        return
    lister.identify(path.rpartition("/")[2], path)
    with lister.files.open(path) as file:
        container = lister.listing.add_container("archive", path)
        lister.add_tar(split, file, container, path, UNLABELLED, label_of=label_of)
    if split not in lister.listing.splits:
        raise DatasetError(f"expected pictures in {path}, found none")


def _number(name: str) -> int:
    match = _VALIDATION_NAME.fullmatch(name)
    return int(match[1]) if match else 0


def _truth(name: str, where: str, kit: Devkit, labels: dict[str, int]) -> int:
    """The label of a validation picture, from the number in its name."""
    number = _number(name)
    if not 1 <= number <= len(kit.validation):
        raise DatasetError(
            f"the development kit does not fit {where}: expected ILSVRC2012_val_00000001.JPEG to "
            f"{len(kit.validation):08d}.JPEG as {GROUND_TRUTH} has lines, received {name!r}"
        )
    wnid = kit.validation[number - 1]
    if wnid not in labels:
        raise DatasetError(
            f"the development kit does not fit the archives: {name} is of class {wnid}, which the "
            f"training pictures do not have"
        )
    return labels[wnid]


def _check_against_kit(lister: _Lister, path: str, kit: Devkit, labels: dict[str, int]) -> None:
    """Validation folders must agree with the ground truth where names are the official ones."""
    for ref in lister.listing.splits["validation"]:
        name = ref.name.rpartition("/")[2]
        if _number(name) and _truth(name, path, kit, labels) != ref.label:
            wnid = lister.listing.classes[ref.label].synset
            raise DatasetError(
                f"the development kit does not fit {path}: {name} is in folder {wnid}, but its "
                f"class is {kit.validation[_number(name) - 1]}"
            )


# --- class folders ------------------------------------------------------------------------------


def list_folder(
    files: Files, folder: str, report: Report, seed: int, validation_fraction: float
) -> Listing:
    """INPUT/{train,val|validation,test}/<class>/* or INPUT/<class>/*.

    Without a validation folder, a seeded part of each class's training pictures is held out. Files
    directly in test/ are unlabelled.

    Raises:
        DatasetError: no class folders, an empty one, or validation classes that training lacks.
    """
    lister = _Lister(files, folder, report)
    train = files.join(folder, "train")
    parts = {"train": folder}
    # A folder train/ that holds pictures, not folders, is a class: of railway pictures.
    if any(files.is_folder(files.join(train, name)) for name in files.names(train)):
        names = {"train": ("train",), "validation": ("val", "validation"), "test": ("test",)}
        parts = {
            split: files.join(folder, name)
            for split, candidates in names.items()
            for name in candidates
            if files.is_folder(files.join(folder, name))
        }
        if all(files.is_folder(files.join(folder, name)) for name in names["validation"]):
            raise DatasetError(f"expected val/ or validation/ in {folder!r}, found both")
    classes = lister.class_folders(parts["train"])
    if not classes:
        raise DatasetError(
            f"expected a folder for each class in {parts['train']!r}, found none; the layouts are "
            "INPUT/CLASS/PICTURE and INPUT/train/CLASS/PICTURE with INPUT/val/CLASS/PICTURE"
        )
    lister.listing.classes = tuple(ClassName(name, name) for name in classes)
    labels = {name: label for label, name in enumerate(classes)}
    for split, path in parts.items():
        _add_class_folders(lister, split, path, labels)
    if "validation" not in parts:
        _hold_out(lister.listing, seed, validation_fraction)
    return lister.listing


def _add_class_folders(lister: _Lister, split: str, path: str, labels: dict[str, int]) -> None:
    files = lister.files
    names = classes = lister.class_folders(path) if split != "train" else list(labels)
    if split == "test" and not classes:
        lister.add_folder(split, path, lambda name: UNLABELLED)
        return
    for name in names:
        if name not in labels:
            raise DatasetError(
                f"expected the classes of the training pictures in {path!r}, received {name!r}"
            )
        lister.add_folder(split, files.join(path, name), lambda _, label=labels[name]: label)


def _hold_out(listing: Listing, seed: int, fraction: float) -> None:
    """Moves a seeded part of each class from the training to the validation split."""
    pictures = listing.splits.get("train", ImageList())
    keys = ("held-out/" + listing.order_key("train", ref) for ref in pictures)
    hashes = seeded_hashes(seed, keys)
    labels = pictures.labels
    held_out = np.zeros(len(pictures), bool)
    for label, name in enumerate(listing.classes):
        members = np.flatnonzero(labels == label)
        count = max(1, math.floor(len(members) * fraction + 0.5)) if fraction > 0 else 0
        if count >= len(members):
            raise DatasetError(
                f"expected at least {count + 1} pictures of class {name.synset!r} to hold out "
                f"{count} for validation, found {len(members)}"
            )
        held_out[members[np.argsort(hashes[members], kind="stable")[:count]]] = True
    listing.splits["train"] = pictures.selected(np.flatnonzero(~held_out))
    if held_out.any():
        listing.splits["validation"] = pictures.selected(np.flatnonzero(held_out))
