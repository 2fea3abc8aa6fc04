"""The official CIFAR-10 binary archive: five training batches and a test batch of 10,000 records.

A record is a label byte and 32 x 32 pixels, red plane, green plane, blue plane. The batches stand
in a compressed archive, which cannot be read by offset; so they are unpacked first.
"""

import hashlib
from collections.abc import Callable

from preprocessing.dataset.info import ClassName
from preprocessing.errors import DatasetError
from preprocessing.sources.listing import ImageRef, Listing
from preprocessing.sources.reader import CIFAR_SIDE
from preprocessing.storage.files import Files
from preprocessing.storage.tar import list_tar_gz

ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
NAMES = "batches.meta.txt"
# The test batch is labelled and serves as the validation split, as in the papers.
BATCHES = {
    **{f"data_batch_{number}.bin": "train" for number in range(1, 6)},
    "test_batch.bin": "validation",
}

_RECORD = 1 + 3 * CIFAR_SIDE * CIFAR_SIDE
_MAX_BATCH_BYTES = 64 << 20  # each has 31 MB
_MAX_UNPACKED_BYTES = 8 * _MAX_BATCH_BYTES


def list_cifar10(
    files: Files, path: str, scratch_files: Files, scratch: str, report: Callable[[int], None]
) -> Listing:
    """Lists the archive `path`, or the one in the folder `path`, or extracted batches there.

    Args:
        files, path: the input.
        scratch_files, scratch: a folder in which the archive's batches are unpacked, below a name
            that is the archive's own.
        report: called with the number of images listed so far.

    Raises:
        DatasetError: it is not there, damaged, or something else.
    """
    listing = Listing()
    for folder in (path, files.join(path, FOLDER)):
        if files.is_file(files.join(folder, NAMES)):
            return _list_batches(files, folder, listing, report)
    archive = path if files.is_file(path) else files.join(path, ARCHIVE)
    if not files.is_file(archive):
        raise DatasetError(
            f"expected {ARCHIVE}, or the folder {FOLDER} of its batches, as --input; found neither "
            f"at {path!r}"
        )
    entry = files.entry(archive)
    state = f"{entry.size} bytes, changed {entry.changed}"
    listing.identity[ARCHIVE] = state
    name = f"input-{hashlib.sha256(state.encode()).hexdigest()[:16]}"
    unpacked = scratch_files.join(scratch, name)
    _unpack(files, archive, scratch_files, unpacked)
    return _list_batches(scratch_files, unpacked, listing, report)


def _unpack(files: Files, archive: str, target_files: Files, target: str) -> None:
    """Writes the batches and the class names to the folder `target`."""
    target_files.make_folder(target)
    unpacked = set()
    try:
        with files.open(archive) as file:
            for member, pieces in list_tar_gz(file, archive, _MAX_UNPACKED_BYTES):
                name = member.name.rpartition("/")[2]
                if name not in (*BATCHES, NAMES) or member.problem:
                    continue
                unpacked.add(name)
                with target_files.create(target_files.join(target, name)) as output:
                    output.writelines(pieces)
    except DatasetError as error:
        raise DatasetError(f"expected {ARCHIVE} in {archive}: {error}") from error
    missing = {*BATCHES, NAMES} - unpacked
    if missing:
        raise DatasetError(
            f"expected {ARCHIVE}: {archive} has no {min(missing)}; the python version of the data "
            "set will not do"
        )


def _list_batches(
    files: Files, folder: str, listing: Listing, report: Callable[[int], None]
) -> Listing:
    with files.open(files.join(folder, NAMES)) as file:
        lines = file.read(10_000).decode("utf-8", "replace").split("\n")
    names = [line.strip() for line in lines if line.strip()]
    if names != sorted(set(names)) or not 1 < len(names) <= 256:
        raise DatasetError(f"expected sorted class names in {NAMES} of {folder}, received {names}")
    listing.classes = tuple(ClassName(name, name) for name in names)
    count = 0
    for batch, split in BATCHES.items():
        path = files.join(folder, batch)
        if not files.is_file(path):
            raise DatasetError(f"expected {batch} in {folder}, found none")
        with files.open(path) as file:
            data = file.read(_MAX_BATCH_BYTES)
        labels = data[::_RECORD]
        if not data or len(data) % _RECORD or max(labels) >= len(names):
            raise DatasetError(
                f"expected records of {_RECORD} bytes and labels below {len(names)} in {path}, "
                f"received {len(data)} bytes and labels up to {max(labels, default=0)}"
            )
        entry = files.entry(path)
        if ARCHIVE not in listing.identity:
            listing.identity[batch] = f"{entry.size} bytes, changed {entry.changed}"
        container = listing.add_container("cifar10", path)
        for index, label in enumerate(labels):
            name = f"{batch.removesuffix('.bin')}_{index:05d}"
            ref = ImageRef(container, name, index * _RECORD, _RECORD, label)
            listing.add(split, ref)
        count += len(labels)
        report(count)
    return listing
