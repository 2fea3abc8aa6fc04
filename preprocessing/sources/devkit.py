"""The ILSVRC2012 development kit: which classes there are, and the validation images' labels.

``data/meta.mat`` numbers the classes by ILSVRC2012_ID, in no sorted order, and lists inner nodes
of the hierarchy too; ``data/ILSVRC2012_validation_ground_truth.txt`` gives, on line n, the
ILSVRC2012_ID of validation image n.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import BinaryIO

from preprocessing.errors import DatasetError
from preprocessing.sources.mat5 import read_structs
from preprocessing.storage.files import Files
from preprocessing.storage.tar import list_tar_gz

ARCHIVE = "ILSVRC2012_devkit_t12.tar.gz"
FOLDER = "ILSVRC2012_devkit_t12"
META = "meta.mat"
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
WNID = re.compile(r"n\d{8}", re.ASCII)

# The kit has 3 MB unpacked, code and documentation included.
_MAX_FILE_BYTES = 32 << 20
_MAX_UNPACKED_BYTES = 64 << 20
_FIELDS = ("ILSVRC2012_ID", "WNID", "words", "num_children")


@dataclass(frozen=True)
class Devkit:
    """What the development kit says.

    Attributes:
        texts: the words of each class (leaf of the hierarchy) by WNID.
        validation: the WNID of each validation image, in the order of their numbers.
    """

    texts: dict[str, str]
    validation: tuple[str, ...]


def find_devkit(files: Files, folder: str) -> Devkit | None:
    """Reads the development kit, packed or extracted, from the input folder; None if it has none.

    Raises:
        DatasetError: it is damaged or not what it should be.
    """
    archive = files.join(folder, ARCHIVE)
    if files.is_file(archive):
        with files.open(archive) as file:
            return parse_devkit(*_unpack(file, archive), archive)
    data = files.join(folder, FOLDER, "data")
    if not files.is_file(files.join(data, META)):
        return None
    return parse_devkit(
        _read(files, files.join(data, META)), _read(files, files.join(data, GROUND_TRUTH)), data
    )


def parse_devkit(meta: bytes, ground_truth: bytes, where: str) -> Devkit:
    """Combines meta.mat and the ground-truth file.

    Raises:
        DatasetError: one of them is damaged, or they contradict each other.
    """
    classes = _leaves(meta, where)
    try:
        numbers = [int(line) for line in ground_truth.split()]
        validation = tuple(classes[number][0] for number in numbers)
    except ValueError as error:
        raise DatasetError(f"expected numbers in {GROUND_TRUTH} of {where}: {error}") from error
    except KeyError as error:
        raise DatasetError(
            f"expected ILSVRC2012_IDs of classes in {GROUND_TRUTH} of {where}, received {error}, "
            f"which {META} does not list as a class"
        ) from error
    return Devkit(_texts(classes), validation)


def _leaves(meta: bytes, where: str) -> dict[int, tuple[str, str]]:
    """(WNID, words) of the classes by ILSVRC2012_ID; inner nodes are left out."""
    try:
        classes = {}
        for row in read_structs(meta, "synsets", _MAX_UNPACKED_BYTES):
            number, wnid, words, children = (row.get(name) for name in _FIELDS)
            if not isinstance(children, float) or not isinstance(number, float):
                raise ValueError("expected numbers as ILSVRC2012_ID and num_children")
            if children != 0:
                continue
            if not isinstance(wnid, str) or not WNID.fullmatch(wnid):
                raise ValueError(f"expected a WNID (n and 8 digits), received {wnid!r}")
            if not isinstance(words, str) or not number.is_integer() or number in classes:
                raise ValueError(f"expected words and a number of its own of {wnid}")
            classes[int(number)] = (wnid, words)
    except ValueError as error:
        raise DatasetError(f"cannot read {META} of {where}: {error}") from error
    if not classes or len({wnid for wnid, _ in classes.values()}) != len(classes):
        raise DatasetError(f"expected classes of different WNIDs in {META} of {where}")
    return classes


def _texts(classes: dict[int, tuple[str, str]]) -> dict[str, str]:
    """The first of each class's synonyms; all of them where two classes share the first."""
    first = {wnid: words.split(",")[0].strip() for wnid, words in classes.values()}
    uses = Counter(first.values())
    return {
        wnid: first[wnid] if uses[first[wnid]] == 1 else words for wnid, words in classes.values()
    }


def _unpack(file: BinaryIO, where: str) -> tuple[bytes, bytes]:
    """meta.mat and the ground-truth file from the packed kit."""
    contents: dict[str, bytes] = {}
    try:
        for member, pieces in list_tar_gz(file, where, _MAX_UNPACKED_BYTES):
            name = member.name.rpartition("/")[2]
            if name in (META, GROUND_TRUTH) and not member.problem:
                contents[name] = b"".join(pieces)
    except DatasetError as error:
        raise DatasetError(f"expected the development kit in {where}: {error}") from error
    for name in (META, GROUND_TRUTH):
        if name not in contents:
            raise DatasetError(
                f"expected data/{name} in {where}, found none: it is truncated, or another kit"
            )
    return contents[META], contents[GROUND_TRUTH]


def _read(files: Files, path: str) -> bytes:
    if not files.is_file(path):
        raise DatasetError(f"expected {path} beside the rest of the development kit")
    with files.open(path) as file:
        data = file.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise DatasetError(f"expected at most {_MAX_FILE_BYTES} bytes in {path}, it is larger")
    return data
