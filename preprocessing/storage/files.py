"""Local files behind the few operations that the converter needs.

``beam_files.py`` has the same operations on Beam's filesystems (gs://, s3://, hdfs://). What is
written appears under its final name only when complete.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from preprocessing.dataset.atomic import replacing
from preprocessing.errors import MISTAKEN, DatasetError

LEADS_NOWHERE, SPECIAL_FILE = -1, -2  # instead of a size, of what is no file


@dataclass(frozen=True)
class FileEntry:
    """A file below a folder: path relative to it with "/", bytes, a token of its last change."""

    name: str
    size: int
    changed: str


class Files(Protocol):
    """What the converter asks of a filesystem. Paths are strings."""

    is_local: bool

    def join(self, *parts: str) -> str: ...
    def is_file(self, path: str) -> bool: ...
    def is_folder(self, path: str) -> bool: ...
    def entry(self, path: str) -> FileEntry: ...
    def names(self, folder: str) -> list[str]: ...
    def walk(self, folder: str) -> Iterator[FileEntry]: ...
    def open(self, path: str) -> BinaryIO: ...
    def open_for_jumps(self, path: str) -> BinaryIO: ...
    def create(self, path: str) -> contextlib.AbstractContextManager[BinaryIO]: ...
    def move(self, source: str, target: str) -> None: ...
    def move_all(self, moves: Sequence[tuple[str, str]]) -> None: ...
    def delete(self, path: str) -> None: ...
    def make_folder(self, path: str) -> None: ...
    def delete_folder(self, path: str) -> None: ...
    def delete_if_empty(self, path: str) -> None: ...
    def forget(self) -> None: ...


class LocalFiles:
    """The local filesystem (or a shared one that is mounted)."""

    is_local = True

    def join(self, *parts: str) -> str:
        return os.path.join(*parts)

    def is_file(self, path: str) -> bool:
        return os.path.isfile(path)

    def is_folder(self, path: str) -> bool:
        return os.path.isdir(path)

    def entry(self, path: str) -> FileEntry:
        """Size and last change of one file."""
        status = os.stat(path)
        return FileEntry(os.path.basename(path), status.st_size, str(status.st_mtime_ns))

    def names(self, folder: str) -> list[str]:
        """Sorted names directly inside a folder; none if there is no such folder."""
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def walk(self, folder: str) -> Iterator[FileEntry]:
        """All files below a folder, sorted within each folder; dot files are left out.

        Links to files are followed, links to folders are not: they could lead in circles. What is
        no file is yielded too, with LEADS_NOWHERE or SPECIAL_FILE as its size.
        """
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                for below in self.walk(entry.path):
                    yield FileEntry(f"{entry.name}/{below.name}", below.size, below.changed)
            else:
                yield _file_entry(entry)

    def open(self, path: str) -> BinaryIO:
        return open(path, "rb")

    def open_for_jumps(self, path: str) -> BinaryIO:
        """For reads here and there; a read may return less than is asked for."""
        return open(path, "rb", buffering=0)

    def create(self, path: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """A file to write, which gets its name at the end, or is removed on an exception."""
        return replacing(path)

    def move(self, source: str, target: str) -> None:
        os.replace(source, target)

    def move_all(self, moves: Sequence[tuple[str, str]]) -> None:
        """Moves (source, target) each; in any order, and perhaps some of them if one fails."""
        for source, target in moves:
            self.move(source, target)

    def delete(self, path: str) -> None:
        """Removes a file; nothing happens if there is none."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def make_folder(self, path: str) -> None:
        """Makes a folder and those above it."""
        try:
            os.makedirs(path, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise DatasetError(f"expected a folder at {path!r}, found a file") from error

    def delete_folder(self, path: str) -> None:
        """Removes a folder and all in it; nothing happens if there is none."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)

    def delete_if_empty(self, path: str) -> None:
        """Removes a folder that has nothing in it."""
        with contextlib.suppress(OSError):
            os.rmdir(path)

    def forget(self) -> None:
        """Frees what was remembered of folders."""


def _file_entry(entry: os.DirEntry[str]) -> FileEntry:
    """Of a file, or of what is none."""
    try:
        if entry.is_file():
            status = entry.stat()
            return FileEntry(entry.name, status.st_size, str(status.st_mtime_ns))
    except OSError as error:
        if error.errno not in MISTAKEN or not entry.is_symlink():  # a loop, a closed folder, ...
            raise
    return FileEntry(entry.name, LEADS_NOWHERE if entry.is_symlink() else SPECIAL_FILE, "")
