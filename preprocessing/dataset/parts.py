"""The parts of dataset_info.json: what each says, and what makes it well-formed."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from preprocessing.dataset.names import OTHER_FILES, SPLITS, shard_name

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ClassName:
    """A class: its identifier (WNID, or the folder's name) and its readable name."""

    synset: str
    text: str


@dataclass(frozen=True)
class Shard:
    """A shard: file name, number of examples, bytes, and the SHA-256 of the file in hex."""

    name: str
    examples: int
    bytes: int
    checksum: str


@dataclass(frozen=True)
class StoredFile:
    """A file that is no shard: its bytes, and its SHA-256 in hex."""

    bytes: int
    checksum: str

    @classmethod
    def of(cls, data: bytes) -> StoredFile:
        return cls(len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True)
class ColorStatistics:
    """Color statistics of the training split's pixels after preprocessing, in grey levels 0..255.

    Attributes:
        mean_rgb: channel means.
        stddevs: square roots of the eigenvalues of the RGB covariance, ascending.
        eigenvectors: ``eigenvectors[c][j]`` is channel c (R, G, B) of eigenvector j, of fixed sign.
    """

    mean_rgb: tuple[float, float, float]
    stddevs: tuple[float, float, float]
    eigenvectors: tuple[tuple[float, float, float], ...]


def classes_from_json(classes: list[dict[str, Any]]) -> tuple[ClassName, ...]:
    """The classes by label. KeyError, ValueError or TypeError: there is none, or one ill-formed."""
    if not classes:
        raise ValueError("expected classes, received none")
    result = tuple(ClassName(str(name["synset"]), str(name["text"])) for name in classes)
    for name in result:
        f"{name.synset}{name.text}".encode()  # halves of characters could be written nowhere
    return result


def shards_from_json(splits: dict[str, list[dict[str, Any]]]) -> dict[str, tuple[Shard, ...]]:
    """The shards of each split. ValueError or TypeError if one is ill-formed or train is missing.

    Each has the only name that it may have, since names become paths.
    """
    if "train" not in splits or not set(splits) <= set(SPLITS):
        raise ValueError(f"expected the split train, and of {SPLITS}, received {list(splits)}")
    result = {}
    for split, rows in splits.items():
        if not rows:
            raise ValueError(f"expected shards of the split {split}, received none")
        result[split] = tuple(Shard(**row) for row in rows)
        for index, shard in enumerate(result[split]):
            name = shard_name(split, index, len(rows))
            if shard.name != name:
                raise ValueError(f"expected shard {name}, received {shard.name!r}")
            _check_stored(name, shard, shard.examples)
    return result


def files_from_json(files: dict[str, dict[str, Any]]) -> dict[str, StoredFile]:
    """What lies beside the shards. ValueError or TypeError if it is ill-formed or incomplete."""
    if set(files) != set(OTHER_FILES):
        raise ValueError(f"expected the files {OTHER_FILES}, received {list(files)}")
    result = {name: StoredFile(**values) for name, values in files.items()}
    for name, file in result.items():
        _check_stored(name, file)
    return result


def class_counts_from_json(
    counts: dict[str, list[int]], splits: Collection[str], classes: int
) -> dict[str, tuple[int, ...]]:
    """Examples of each label, by split. ValueError or TypeError if it is ill-formed."""
    for split, numbers in counts.items():
        if split not in splits or any(type(n) is not int or n < 0 for n in numbers):
            raise ValueError(f"expected counts of the classes of {split!r}, received others")
        if len(numbers) != classes:
            raise ValueError(f"expected counts of {classes} classes, received {len(numbers)}")
    return {split: tuple(numbers) for split, numbers in counts.items()}


def _check_stored(name: str, stored: Shard | StoredFile, examples: int = 0) -> None:
    sizes = (examples, stored.bytes)
    if any(type(size) is not int or size < 0 for size in sizes):
        raise ValueError(f"expected counts of {name}, received {sizes}")
    if not _SHA256.fullmatch(stored.checksum):
        raise ValueError(f"expected a SHA-256 of {name}, received {stored.checksum!r}")


def color_from_json(color: dict[str, Any]) -> ColorStatistics:
    """The color statistics. KeyError, ValueError or TypeError if they are ill-formed."""
    return ColorStatistics(
        mean_rgb=_triple(color["mean_rgb"]),
        stddevs=_triple(color["stddevs"]),
        eigenvectors=_triple(color["eigenvectors"], _triple),
    )


def _triple(values: list, convert: Callable = float) -> tuple:
    result = tuple(convert(value) for value in values)
    if len(result) != 3 or any(isinstance(v, float) and not math.isfinite(v) for v in result):
        raise ValueError(f"expected three finite numbers, received {values}")
    return result
