"""Beam's filesystems (gs://, s3://, hdfs://, ...) behind the interface of files.py."""

import contextlib
import io
import os
import posixpath
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from apache_beam.io.aws.s3io import S3Uploader
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from preprocessing.storage.beam_listing import file_at, is_there, list_below, list_names
from preprocessing.storage.files import FileEntry
from preprocessing.storage.remembered import RememberedFolder
from preprocessing.storage.store_errors import StoreFile, store_errors

_MOVES_AT_ONCE = 16


class BeamFiles:
    """Beam's filesystems: gs://, s3://, hdfs:// and what else is registered.

    Args:
        remember: list each folder once and answer from memory; for input, which does not change.
    """

    is_local = False

    def __init__(self, remember: bool = False):
        self._remember = remember
        self._listed: dict[str, RememberedFolder] = {}

    def join(self, *parts: str) -> str:
        """Not posixpath.join: a key that begins with a slash would be a path of this machine."""
        return "/".join((parts[0].rstrip("/"), *parts[1:]))

    def is_file(self, path: str) -> bool:
        for known, listed in self._listed.items():
            if path.startswith(known):
                return listed.has_file(path[len(known) :])
        return file_at(path) is not None

    def is_folder(self, path: str) -> bool:
        if self._remember:
            return next(self._below(path), None) is not None
        return next(list_below(path), None) is not None

    def entry(self, path: str) -> FileEntry:
        metadata = FileSystems.match([path])[0].metadata_list[0]
        changed = str(metadata.last_updated_in_seconds)
        return FileEntry(posixpath.basename(path), metadata.size_in_bytes, changed)

    def names(self, folder: str) -> list[str]:
        if self._remember:
            listed, path = self._remembered(folder)
            return listed.names(path)
        return list_names(folder)

    def walk(self, folder: str) -> Iterator[FileEntry]:
        for entry in self._below(folder):
            if not any(part.startswith(".") for part in entry.name.split("/")):
                yield entry

    def open(self, path: str) -> BinaryIO:
        return StoreFile(_opened(path), path)

    def open_for_jumps(self, path: str) -> BinaryIO:
        """Without the buffers of 16 and 20 MB that Beam's s3:// and hdfs:// fill at each jump."""
        file = _opened(path)
        return StoreFile(file.detach() if isinstance(file, io.BufferedReader) else file, path)

    @contextlib.contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        """A file under a temporary name, which it loses at the end: not all stores are atomic."""
        temporary = f"{path}.{os.urandom(8).hex()}.part"
        with store_errors(path):
            file = FileSystems.create(temporary, compression_type=CompressionTypes.UNCOMPRESSED)
        try:
            yield StoreFile(file, path)
        except BaseException:
            with contextlib.suppress(OSError):  # of the same store: the first one is told
                _finish(file, path)
                self.delete(temporary)
            raise
        _finish(file, path)
        self.move(temporary, path)

    def move(self, source: str, target: str) -> None:
        self.delete(target)  # HDFS refuses to rename onto an existing file
        FileSystems.rename([source], [target])

    def move_all(self, moves: Sequence[tuple[str, str]]) -> None:
        with ThreadPoolExecutor(_MOVES_AT_ONCE) as pool:  # each waits for answers from far away
            for _ in pool.map(self.move, *zip(*moves, strict=True)) if moves else ():
                pass

    def delete(self, path: str) -> None:
        if self.is_file(path):
            FileSystems.delete([path])

    def make_folder(self, path: str) -> None:
        # Beam raises if the folder is there already.
        with contextlib.suppress(OSError), store_errors(path):
            FileSystems.mkdirs(path)

    def delete_folder(self, path: str) -> None:
        if is_there(path):
            FileSystems.delete([path.rstrip("/") + "/"])

    def delete_if_empty(self, path: str) -> None:
        pass  # a folder without files is no thing of its own in an object store

    def forget(self) -> None:
        self._listed.clear()

    def _below(self, folder: str) -> Iterator[FileEntry]:
        """All files below a folder, in the order of their paths' parts."""
        if self._remember:
            listed, path = self._remembered(folder)
            yield from listed.below(path)
            return
        entries = [
            FileEntry(name, size, str(changed)) for name, size, changed in list_below(folder)
        ]
        yield from sorted(entries, key=lambda entry: entry.name.split("/"))

    def _remembered(self, folder: str) -> tuple[RememberedFolder, str]:
        """The listing that holds a folder, and the folder's path in it."""
        folder = folder.rstrip("/") + "/"
        for known, listed in self._listed.items():
            if folder.startswith(known):
                return listed, folder[len(known) :]
        listed = self._listed[folder] = RememberedFolder()
        for name, size, changed in list_below(folder):
            listed.add(name, size, changed)
        return listed, ""


def _opened(path: str) -> BinaryIO:
    with store_errors(path):
        return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def _finish(file: BinaryIO, path: str) -> None:
    """Closes a file that was written.

    Of no bytes Beam makes an upload to S3 without parts, which S3 refuses; one empty part it takes.
    """
    uploader = getattr(getattr(file, "raw", None), "_uploader", None)
    with store_errors(path):
        if isinstance(uploader, S3Uploader) and not file.tell():
            uploader._write_to_s3(b"")
        file.close()
