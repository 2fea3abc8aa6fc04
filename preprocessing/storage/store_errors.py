"""Errors of stores' libraries as OSErrors, as those of a disk: that is what callers tell of."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO


@contextlib.contextmanager
def store_errors(path: str) -> Iterator[None]:
    """Within it, whatever a store's library raises of its own is an OSError that names the path.

    Python's own kinds stay as they are: they may be a fault of the program.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or type(error).__module__ == "builtins":
            raise
        told = getattr(error, "message", error)  # Beam's is no text by itself
        told = " ".join(str(told).split())
        raise OSError(f"cannot use {path}: {type(error).__name__}: {told}") from error


class StoreFile:
    """A file of a store, opened by Beam; its operations raise nothing but OSErrors."""

    def __init__(self, file: BinaryIO, path: str):
        self._file = file
        self._path = path

    def __enter__(self) -> "StoreFile":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def read(self, size: int = -1) -> bytes:
        with store_errors(self._path):
            return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        with store_errors(self._path):
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def write(self, data: bytes) -> int:
        with store_errors(self._path):
            return self._file.write(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        for data in pieces:
            self.write(data)

    def close(self) -> None:
        with store_errors(self._path):
            self._file.close()
