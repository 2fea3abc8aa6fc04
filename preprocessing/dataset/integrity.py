"""Whether a dataset's files are those that dataset_info.json describes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping

from preprocessing.dataset.info import DatasetInfo
from preprocessing.dataset.names import INFO_FILE, is_shard_name
from preprocessing.dataset.parts import Shard
from preprocessing.errors import DatasetError

_COPY_BYTES = 1 << 20
_MOST_NAMED = 3


def check_files(
    directory: str | os.PathLike, info: DatasetInfo, splits: Collection[str] | None = None
) -> None:
    """Compares names and sizes of the shards with what is there, by one listing of the directory.

    Args:
        directory: of the dataset, on a filesystem that is mounted.
        info: what dataset_info.json says.
        splits: which to compare; all if None.

    Raises:
        DatasetError: a shard is missing, of another size, or may not be read. The line names the
            first few.
    """
    problems = size_problems(info, file_sizes(directory), splits)
    problems = problems or _unreadable(directory, info, splits)
    if problems:
        named = "; ".join(problems[:_MOST_NAMED])
        if len(problems) > _MOST_NAMED:
            named += f"; and {len(problems) - _MOST_NAMED} more"
        raise DatasetError(
            f"{os.fspath(directory)!r} is not what its {INFO_FILE} describes: "
            f"{named}. Fetch or convert it again, and check it with: "
            f"python -m preprocessing verify {os.fspath(directory)}"
        )


def file_sizes(directory: str | os.PathLike) -> dict[str, int]:
    """The sizes, in bytes, of the files in a mounted directory, by name. Raises DatasetError."""
    try:
        with os.scandir(directory) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    except OSError as error:
        raise DatasetError(f"cannot list {os.fspath(directory)!r}: {error}") from error


def size_problems(
    info: DatasetInfo, sizes: Mapping[str, int], splits: Collection[str] | None = None
) -> list[str]:
    """A line for each shard that is missing, or of another size, among the files of `sizes`."""
    problems = []
    for split, shards in info.splits.items():
        for shard in shards if splits is None or split in splits else ():
            if shard.name not in sizes:
                problems.append(f"{shard.name}: the file is missing")
            elif sizes[shard.name] != shard.bytes:
                problems.append(f"{shard.name}: {sizes[shard.name]} bytes, expected {shard.bytes}")
    return problems


def _unreadable(
    directory: str | os.PathLike, info: DatasetInfo, splits: Collection[str] | None
) -> list[str]:
    names = [s.name for split in splits or info.splits for s in info.splits[split]]
    return [
        f"{name}: it may not be read"
        for name in names
        if not os.access(os.path.join(directory, name), os.R_OK)
    ]


def unlisted_shards(info: DatasetInfo, names: Collection[str]) -> list[str]:
    """A line for each of these files that has a shard's name but belongs to no split."""
    listed = {shard.name for shards in info.splits.values() for shard in shards}
    return [
        f"{name}: not listed in {INFO_FILE}"
        for name in sorted(set(names) - listed)
        if is_shard_name(name)
    ]


def check_shard(directory: str | os.PathLike, shard: Shard) -> None:
    """Reads a shard whole and compares its bytes with its checksum.

    Raises:
        DatasetError: it cannot be read, or its bytes are others.
    """
    path = os.path.join(os.fspath(directory), shard.name)
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while data := file.read(_COPY_BYTES):
                digest.update(data)
    except OSError as error:
        raise DatasetError(f"cannot read the shard {path!r}: {error}") from error
    if digest.hexdigest() != shard.checksum:
        raise DatasetError(
            f"{path!r} has not the checksum of {INFO_FILE}: it was changed; fetch or convert the "
            f"dataset again, and check with: python -m preprocessing verify {os.fspath(directory)}"
        )
