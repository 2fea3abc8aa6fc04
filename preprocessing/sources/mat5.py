"""Reads a struct array from a MAT-file of level 5, as far as `meta.mat` needs it.

SciPy's reader, written in C for trusted files, crashes the whole process on some flipped bits. Here
every length is checked against the bytes that are there, nothing nests, and the work is
proportional to the file. Format: MathWorks, "MAT-File Format", chapter 1 (version 5).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15  # data types of elements
_NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_TEXTS = {16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CODES = {1: "latin-1", 2: "latin-1", 4: "utf-16"}  # characters that are stored as whole numbers
_STRUCT, _CHARACTERS, _NUMERIC = 2, 4, range(6, 16)  # classes of arrays

Value = str | float | None  # of a field: text, one number, or anything else


class Element(NamedTuple):
    """A data type and the bytes of its value."""

    kind: int
    data: memoryview


def read_structs(data: bytes, variable: str, most_bytes: int) -> list[dict[str, Value]]:
    """The elements of the struct array `variable`, field name -> value.

    Args:
        data: the whole file.
        variable: its name.
        most_bytes: that compressed parts may unpack to, together.

    Raises:
        ValueError: the file is damaged, is none of this level, or has no such struct array.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise ValueError("expected a MAT-file of level 5, received another file")
    for element in _elements(memoryview(data)[_HEADER_BYTES:], order):
        if element.kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            try:
                unpacked = unpacker.decompress(element.data, most_bytes + 1)
            except zlib.error as error:
                raise ValueError(f"a compressed part is damaged: {error}") from error
            most_bytes -= len(unpacked)
            if most_bytes < 0:
                raise ValueError("it unpacks to more than a development kit has")
            if not unpacker.eof:
                raise ValueError("a compressed part breaks off")
            element = next(_elements(memoryview(unpacked), order), None)
        if element is not None and element.kind == _MATRIX:
            structs = _structs(element.data, variable, order)
            if structs is not None:
                return structs
    raise ValueError(f"expected a variable {variable}, found none")


def _elements(data: memoryview, order: str) -> Iterator[Element]:
    """The elements that stand one after the other; ValueError if one goes beyond the end."""
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            raise ValueError("an element breaks off")
        kind, size = struct.unpack_from(f"{order}II", data, position)
        begin = position + 8
        if kind >> 16:  # up to four bytes of value stand within the tag itself
            kind, size, begin = kind & 0xFFFF, kind >> 16, position + 4
            if size > 4:
                raise ValueError("a short element of more than four bytes")
            position += 8
        elif kind == _COMPRESSED:
            position = begin + size
        else:
            position = begin + -(-size // 8) * 8
        if begin + size > len(data):
            raise ValueError("an element goes beyond the end")
        yield Element(kind, data[begin : begin + size])


def _structs(matrix: memoryview, variable: str, order: str) -> list[dict[str, Value]] | None:
    """The elements of a struct array; None for another variable."""
    parts = list(_elements(matrix, order))
    if len(parts) < 3 or bytes(parts[2].data) != variable.encode():
        return None
    if _array_class(parts) != _STRUCT or len(parts) < 5:
        raise ValueError(f"expected a struct array {variable}, received another array")
    length = int.from_bytes(parts[3].data, "little" if order == "<" else "big")
    if not 1 <= length <= 64 or len(parts[4].data) % length:
        raise ValueError("its fields' names are damaged")
    packed = bytes(parts[4].data)
    names = [
        packed[begin : begin + length].split(b"\0")[0].decode("latin-1")
        for begin in range(0, len(packed), length)
    ]
    values = parts[5:]
    if not names or len(values) % len(names):
        raise ValueError(f"expected values of {len(names)} fields, received {len(values)} in all")
    return [
        dict(zip(names, (_value(v, order) for v in values[i : i + len(names)]), strict=True))
        for i in range(0, len(values), len(names))
    ]


def _array_class(parts: list[Element]) -> int:
    """Of an array's parts (flags, dimensions, name, ...)."""
    if len(parts) < 3 or len(parts[0].data) != 8:
        raise ValueError("an array without flags")
    flags = parts[0].data
    return flags[0] | flags[3]  # the lowest byte, in either order; the highest is not used


def _value(element: Element, order: str) -> Value:
    """Text of a character array, the number of a numeric array of one; None for all else."""
    if element.kind != _MATRIX:
        raise ValueError(f"expected an array as a field's value, received data type {element.kind}")
    if not element.data:
        return None
    parts = list(_elements(element.data, order))
    kind = _array_class(parts)
    if len(parts) < 4:
        return "" if kind == _CHARACTERS else None
    stored = parts[3]
    if kind == _CHARACTERS:
        code = _TEXTS.get(stored.kind) or _CODES.get(stored.kind)
        if code is None:
            raise ValueError(f"characters of data type {stored.kind}")
        if code.startswith("utf-") and code != "utf-8":
            code += "-le" if order == "<" else "-be"
        return bytes(stored.data).decode(code)
    if kind in _NUMERIC and stored.kind in _NUMBERS:
        numbers = np.frombuffer(stored.data, np.dtype(_NUMBERS[stored.kind]).newbyteorder(order))
        return float(numbers[0]) if len(numbers) == 1 else None
    return None
