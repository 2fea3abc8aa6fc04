"""Lists tar archives in place: headers are read by seeking, the images' bytes are not.

Python's tarfile parses the headers. It takes an archive that breaks off between two members, or a
damaged header, for the end; so the end is checked here: a proper archive ends in a block of zeros.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from preprocessing.errors import DatasetError

_BLOCK = tarfile.BLOCKSIZE
_MAX_HEADER_BYTES = 1 << 20


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

    def read(self, size: int) -> bytes:
        if size > _MAX_HEADER_BYTES:
            raise tarfile.HeaderError(f"a header of {size} bytes")
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
        with tarfile.open(fileobj=_HeaderReader(file), mode="r:") as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # tarfile would keep every header in memory
                size = member.size if member.isreg() else 0
                position = member.offset_data + -(-size // _BLOCK) * _BLOCK
                if member.offset_data + size > end:
                    raise tarfile.ReadError(f"{member.name!r} goes beyond the end")
                if not member.isdir():
                    yield Member(member.name, member.offset_data, size, _problem(member))
    except (tarfile.TarError, EOFError) as error:
        raise DatasetError(
            f"expected a complete tar archive, but {name} is truncated or damaged: {error}; "
            "fetch it again"
        ) from error
    file.seek(position)
    if position + _BLOCK > end or any(file.read(_BLOCK)):
        raise DatasetError(
            f"expected a complete tar archive, but {name} is truncated or damaged: it breaks off "
            f"at byte {position - start} of {end - start}; fetch it again"
        )


def _problem(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "link"
    if not member.isreg() or member.issparse():
        return "special-file"
    parts = member.name.replace("\\", "/").split("/")
    if parts[0] == "" or parts[-1] == "" or ".." in parts or "\0" in member.name:
        return "unsafe-name"
    return ""
