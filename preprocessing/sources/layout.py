"""What a folder of images means: which of its folders are splits, and which classes.

Seen by names alone, before anything is listed: with a layout that was meant otherwise, the pass
over all images would be for nothing.
"""

from __future__ import annotations

from preprocessing.errors import DatasetError
from preprocessing.storage.files import Files

# As people call them, in any case.
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
LAYOUTS = "the layouts are INPUT/CLASS/IMAGE and INPUT/train/CLASS/IMAGE with INPUT/val/CLASS/IMAGE"

# Folders and files that systems leave behind, and files that accompany images.
NO_FOLDERS = ("__macosx", "@eadir")
NO_IMAGES = ("thumbs.db", "desktop.ini", "icon\r")
NO_IMAGE_ENDINGS = (
    *(".cfg", ".csv", ".htm", ".html", ".ini", ".json", ".jsonl", ".log", ".md", ".rst"),
    *(".tsv", ".txt", ".xml", ".yaml", ".yml"),
)

_LOOKED_AT = 20  # folders, and entries of each, to tell classes from splits


def is_no_image(path: str) -> bool:
    """Whether a file below a class folder is no image, and is not meant as one, by its name."""
    *folders, name = path.lower().split("/")
    return (
        name in NO_IMAGES
        or name.endswith(NO_IMAGE_ENDINGS)
        or any(folder in NO_FOLDERS for folder in folders)
    )


def subfolders(files: Files, path: str) -> list[str]:
    """Sorted names of the folders in a folder, but for hidden ones and what systems leave."""
    return [
        name
        for name in files.names(path)
        if name  # it may be empty in an object store, by a key of two slashes
        and not name.startswith(".")
        and name.lower() not in NO_FOLDERS
        and files.is_folder(files.join(path, name))
    ]


def split_folders(files: Files, folder: str) -> dict[str, str]:
    """The folder of each split; all of `folder` is "train" where it holds classes.

    Raises:
        DatasetError: it cannot be told, or is not meant so.
    """
    names = subfolders(files, folder)
    splits = {split: [n for n in names if n.lower() in SPLIT_NAMES[split]] for split in SPLIT_NAMES}
    # A folder train/ that holds images, not folders, is a class: of railway images.
    is_split = any(subfolders(files, files.join(folder, name)) for name in splits["train"])
    if not is_split:
        _check_classes(files, folder, names, splits)
        return {"train": folder}
    for split, candidates in splits.items():
        if len(candidates) > 1:
            raise DatasetError(
                f"expected one folder for the split {split} in {folder!r}, found both "
                f"{candidates[0]!r} and {candidates[1]!r}"
            )
    others = sorted(set(names).difference(*splits.values()))
    if others:
        expected = ", ".join(f"{'|'.join(SPLIT_NAMES[split])}" for split in SPLIT_NAMES)
        raise DatasetError(
            f"expected only folders of splits ({expected}) beside {splits['train'][0]!r} in "
            f"{folder!r}, found {others[0]!r}: rename it, or move it away"
        )
    return {split: files.join(folder, called[0]) for split, called in splits.items() if called}


def _check_classes(
    files: Files, folder: str, names: list[str], splits: dict[str, list[str]]
) -> None:
    """Refuses folders that are hardly meant as classes. Raises DatasetError."""
    if not names:
        raise DatasetError(f"expected a folder for each class in {folder!r}, found none; {LAYOUTS}")
    inside = {name: subfolders(files, files.join(folder, name)) for name in names[:_LOOKED_AT]}
    other_splits = splits["validation"] + splits["test"]
    if any(inside.get(name) for name in other_splits) and not splits["train"]:
        raise DatasetError(
            f"expected train/ beside {other_splits[0]!r} in {folder!r}, found none; {LAYOUTS}"
        )
    if any(
        not below or _has_files(files, files.join(folder, name)) for name, below in inside.items()
    ):
        return
    same = set.intersection(*map(set, inside.values()))
    if len(names) == 1 or len(same) > 1:  # the classes are one level further down
        raise DatasetError(
            f"expected images in {files.join(folder, names[0])!r}, found folders only "
            f"({', '.join(inside[names[0]][:3])}, ...); {LAYOUTS}"
        )


def _has_files(files: Files, folder: str) -> bool:
    names = [n for n in files.names(folder) if not n.startswith(".") and not is_no_image(n)]
    return any(files.is_file(files.join(folder, name)) for name in names[:_LOOKED_AT])
