"""Lists tar archives in place: headers are read by seeking, the images' bytes are not.

Python's tarfile parses the headers. It takes an archive that breaks off between two members, or a
damaged header, for the end; so the end is checked here: a proper archive ends in a block of zeros.
"""

import contextlib
import gzip
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from preprocessing.errors import DatasetError

_BLOCK = tarfile.BLOCKSIZE
_MAX_HEADER_BYTES = 1 << 20
_PIECE_BYTES = 1 << 20
# What tarfile raises besides its own errors, of headers that contradict themselves.
_DAMAGE = (EOFError, ValueError, ArithmeticError, LookupError, RecursionError)


@dataclass(frozen=True)
class Member:
    """A member of a tar archive that is not a folder.

    Attributes:
        name: as it stands in the archive.
        offset: of its bytes, from the beginning of the file.
        size: in bytes.
        problem: empty for a regular file of a harmless name, else the reason to reject it: "link",
            "special-file" or "unsafe-name".
    """

    name: str
    offset: int
    size: int
    problem: str


class _HeaderReader:
    """The file as tarfile sees it; refuses to read more than a header has any use for."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.seek = file.seek
        self.tell = file.tell
        self.left = _MAX_HEADER_BYTES  # for the next member's headers, however many it has

    def read(self, size: int) -> bytes:
        self.left -= max(size, 1)  # at the end too: there tarfile may ask again and again
        if size < 0 or self.left < 0:
            raise tarfile.HeaderError(f"headers of {size} bytes and more")
        return self._file.read(size)


def list_tar(file: BinaryIO, name: str, start: int = 0, end: int | None = None) -> Iterator[Member]:
    """Yields the members of the tar archive that stands at start:end of a seekable file.

    Args:
        file: opened for reading bytes.
        name: how to call the archive in errors.
        start: where the archive begins; greater than 0 for one inside another.
        end: where it ends; the end of the file if None.

    Raises:
        DatasetError: the archive is truncated, damaged, or no tar archive.
    """
    if end is None:
        end = file.seek(0, 2)
    file.seek(start)
    position = start  # where the last member's blocks end
    try:
        reader = _HeaderReader(file)
        with tarfile.open(fileobj=reader, mode="r:") as archive:
            while (member := archive.next()) is not None:
                reader.left = _MAX_HEADER_BYTES
                archive.members.clear()  # tarfile would keep every header in memory
                if member.size < 0 or member.offset_data <= position:
                    raise tarfile.ReadError(f"{member.name!r} has a size of {member.size} bytes")
                size = member.size if member.isreg() else 0
                if member.issparse():  # its size is the file's, whose holes are not stored
                    size = archive.offset - member.offset_data
                    if size < 0:
                        raise tarfile.ReadError(f"{member.name!r} has {size} bytes stored")
                position = member.offset_data + -(-size // _BLOCK) * _BLOCK
                if member.offset_data + size > end:
                    raise tarfile.ReadError(f"{member.name!r} goes beyond the end")
                if not member.isdir():
                    yield Member(member.name, member.offset_data, size, _problem(member))
    except (tarfile.TarError, *_DAMAGE) as error:
        raise DatasetError(
            f"expected a complete tar archive, but {name} is truncated or damaged: "
            f"{str(error) or type(error).__name__}; fetch it again"
        ) from error
    file.seek(position)
    if position + _BLOCK > end or any(file.read(_BLOCK)):
        raise DatasetError(
            f"expected a complete tar archive, but {name} is truncated or damaged: it breaks off "
            f"at byte {position - start} of {end - start}; fetch it again"
        )


def list_tar_gz(
    file: BinaryIO, name: str, most_bytes: int
) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """Yields each member of a compressed tar archive, and its bytes, a megabyte at a time.

    Args:
        file: opened for reading bytes.
        name: how to call the archive in errors.
        most_bytes: that it may unpack to: a few kilobytes could be gigabytes.

    Raises:
        DatasetError: the archive is truncated, damaged, or larger; also by a member's bytes.
    """
    with _damage_told(name), gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
        for member in list_tar(unpacked, name, 0, most_bytes):
            yield member, _pieces(unpacked, member, name)
        while unpacked.read(_PIECE_BYTES):  # to the end, where the checksum of it all stands
            if unpacked.tell() > most_bytes:
                raise EOFError(f"it goes on after {most_bytes} bytes")


def _pieces(file: BinaryIO, member: Member, name: str) -> Iterator[bytes]:
    with _damage_told(name):
        file.seek(member.offset)
        left = member.size
        while left > 0 and (data := file.read(min(left, _PIECE_BYTES))):
            left -= len(data)
            yield data


@contextlib.contextmanager
def _damage_told(name: str) -> Iterator[None]:
    try:
        yield
    except (zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise DatasetError(
            f"expected a complete .tar.gz archive, but {name} is truncated or damaged: {error}; "
            "fetch it again"
        ) from error


def _problem(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "link"
    if not member.isreg() or member.issparse():
        return "special-file"
    parts = member.name.replace("\\", "/").split("/")
    if parts[0] == "" or parts[-1] == "" or ".." in parts or "\0" in member.name:
        return "unsafe-name"
    return ""
