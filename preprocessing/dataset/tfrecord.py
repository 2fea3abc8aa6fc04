"""Messages framed as a TFRecord file.

A TFRecord file is a sequence of: the data's length (64 bits), the length's checksum, the data, its
checksum, all little-endian; checksums are masked CRC-32C (TensorFlow's lib/io/record_writer).
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

import google_crc32c

MAX_RECORD_BYTES = 1 << 30

_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")


class RecordError(Exception):
    """A TFRecord file is damaged; ``str()`` says where."""


def masked_crc32c(data: bytes) -> int:
    """CRC-32C rotated right by 15 bits plus a constant, as TFRecord stores it."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def frame(data: bytes) -> bytes:
    """A record as it stands in the file."""
    length = _LENGTH.pack(len(data))
    return b"".join(
        (
            length,
            _CHECKSUM.pack(masked_crc32c(length)),
            data,
            _CHECKSUM.pack(masked_crc32c(data)),
        )
    )


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """Yields every record of a TFRecord file, checking both checksums.

    Raises:
        RecordError: a checksum does not match or the file ends inside a record.
    """
    position = 0
    while head := file.read(12):
        length = _checked(head, 8, f"the length at byte {position}")
        size = _LENGTH.unpack(length)[0]
        if size > MAX_RECORD_BYTES:
            raise RecordError(f"record of {size} bytes at byte {position}")
        data = _checked(file.read(size + 4), size, f"the record at byte {position}")
        position += 16 + size
        yield data


def _checked(data: bytes, size: int, what: str) -> bytes:
    if len(data) != size + 4:
        raise RecordError(f"file ends inside {what}")
    content = data[:size]
    if _CHECKSUM.unpack_from(data, size)[0] != masked_crc32c(content):
        raise RecordError(f"checksum of {what} does not match")
    return content
