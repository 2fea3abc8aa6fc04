"""The one place that knows all sources: what an input holds; nothing is decoded."""

from preprocessing.errors import DatasetError
from preprocessing.sources.cifar10 import list_cifar10
from preprocessing.sources.class_folders import list_folder
from preprocessing.sources.ilsvrc2012 import list_ilsvrc2012
from preprocessing.sources.lister import Report
from preprocessing.sources.listing import Listing
from preprocessing.storage.choose import files_for
from preprocessing.storage.files import Files

SOURCES = ("ilsvrc2012", "folder", "cifar10")


def list_source(
    source: str,
    path: str,
    seed: int,
    validation_fraction: float,
    follow_links: bool,
    scratch_files: Files,
    scratch: str,
    report: Report,
) -> Listing:
    """Lists a source's images.

    Args:
        source: one of SOURCES.
        path: where it lies.
        seed, validation_fraction: of the part that is held out where a folder has no validation.
        follow_links: list folders that are links too; they lead out of the input.
        scratch_files, scratch: a folder for what has to be unpacked.
        report: called with the number of images listed so far.

    Raises:
        DatasetError: there is no such input, or it is damaged or something else.
    """
    files = files_for(path, remember=True)
    folder = path.rstrip("/") or "/"
    if source == "cifar10":
        return list_cifar10(files, folder, scratch_files, scratch, report)
    if not files.is_folder(folder):
        raise DatasetError(f"expected a folder as --input, found none at {folder!r}")
    if source == "ilsvrc2012":
        return list_ilsvrc2012(files, folder, report, follow_links)
    return list_folder(files, folder, report, seed, validation_fraction, follow_links)
