"""meta.mat's format: as SciPy writes and reads it; any damage is a ValueError, never a crash."""

import io
import struct
import zlib

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.sources.mat5 import read_structs
from tests.preprocessing.drawn_images import meta_mat

MOST = 1 << 20


def mat(compressed: bool = False, **variables) -> bytes:
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, variables, do_compression=compressed)
    return buffer.getvalue()


def structs(rows, names="abc"):
    return np.array(rows, [(name, "O") for name in names]).reshape(-1, 1)


UNCOMPRESSED = mat(structs=structs([(1.0, "text", 0.0), (2.0, "n00000001", 3.0)]))


@pytest.mark.parametrize("compressed", [False, True])
def test_values_of_every_kind(compressed):
    rows = [
        (1.0, "one", 0.0),
        (-2.5, "", np.arange(6.0)),
        (np.uint8(200), "ä, ö and 犬", np.zeros((0, 0))),
        (np.int16(-300), "x" * 1000, np.array([["cell"]], object)),
        (np.int64(1) << 40, "y", 7.0),
    ]
    data = mat(compressed, other=np.zeros(3), structs=structs(rows))
    assert read_structs(data, "structs", MOST) == [
        {"a": 1.0, "b": "one", "c": 0.0},
        {"a": -2.5, "b": "", "c": None},
        {"a": 200.0, "b": "ä, ö and 犬", "c": None},
        {"a": -300.0, "b": "x" * 1000, "c": None},
        {"a": 2.0**40, "b": "y", "c": 7.0},
    ]


def test_as_scipy_reads_it():
    data = meta_mat()
    expected = scipy.io.loadmat(io.BytesIO(data), squeeze_me=True)["synsets"]
    rows = read_structs(data, "synsets", MOST)
    assert len(rows) == len(expected) > 3
    for row, other in zip(rows, expected, strict=True):
        for name in ("ILSVRC2012_ID", "WNID", "words", "num_children"):
            assert row[name] == other[name]


def element(kind: int, data: bytes, order: str = "<") -> bytes:
    if 0 < len(data) <= 4 and kind != 14:
        tag = struct.pack(f"{order}I", len(data) << 16 | kind)
        return tag + data.ljust(4, b"\0")
    return struct.pack(f"{order}II", kind, len(data)) + data + bytes(-len(data) % 8)


def array(kind: int, name: bytes, *parts: bytes, order: str = "<") -> bytes:
    flags = struct.pack(f"{order}II", kind, 0)
    dimensions = struct.pack(f"{order}ii", 1, 1)
    return element(
        14,
        element(6, flags, order)
        + element(5, dimensions, order)
        + element(1, name, order)
        + b"".join(parts),
        order,
    )


@pytest.mark.parametrize("order", ["<", ">"])
def test_as_matlab_writes_it(order):
    """Numbers in the smallest type, characters of 16 bits, and the other order of bytes."""
    number = array(6, b"", element(2, b"\7", order), order=order)
    text = array(
        4, b"", element(4, "犬".encode(f"utf-16-{'lb'[order == '>']}e"), order), order=order
    )
    names = element(5, struct.pack(f"{order}i", 2), order) + element(1, b"a\0b\0", order)
    data = bytes(124) + struct.pack(f"{order}HH", 0x0100, 0x4D49)
    data += array(2, b"s", names, number, text, order=order)
    assert read_structs(data, "s", MOST) == [{"a": 7.0, "b": "犬"}]


def outcome(data: bytes) -> None:
    """Nothing but rows or a ValueError."""
    try:
        rows = read_structs(data, "structs", MOST)
    except ValueError:
        return
    assert all(isinstance(row, dict) for row in rows)


def test_every_flipped_bit_of_an_uncompressed_file():
    """SciPy 1.15 ended in a segmentation fault for 19 of 800 of these."""
    for bit in range(8 * 128, 8 * len(UNCOMPRESSED)):
        data = bytearray(UNCOMPRESSED)
        data[bit // 8] ^= 1 << bit % 8
        outcome(bytes(data))


def test_every_truncation_is_refused():
    for end in range(len(UNCOMPRESSED)):
        with pytest.raises(ValueError, match=r"."):
            read_structs(UNCOMPRESSED[:end], "structs", MOST)


@settings(max_examples=300, deadline=None)
@given(
    compressed=st.booleans(),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8))
    ),
)
def test_any_damage(compressed, changes):
    data = bytearray(UNCOMPRESSED)
    for place, value in changes:
        begin = 128 + int(place * (len(data) - 128))
        data[begin : begin + len(value)] = value
    if compressed:
        body = zlib.compress(data[128:])
        data = data[:128] + struct.pack("<II", 15, len(body)) + body
    outcome(bytes(data))


def test_what_unpacks_to_more_is_refused():
    body = zlib.compress(bytes(MOST + 1))
    with pytest.raises(ValueError, match="unpacks to more"):
        read_structs(UNCOMPRESSED[:128] + struct.pack("<II", 15, len(body)) + body, "s", MOST)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "level 5"),
        (b"no matlab file" * 100, "level 5"),
        (mat(other=np.zeros(3)), "a variable structs, found none"),
        (mat(structs=np.zeros(3)), "expected a struct array"),
    ],
)
def test_other_files(data, message):
    with pytest.raises(ValueError, match=message):
        read_structs(data, "structs", MOST)
