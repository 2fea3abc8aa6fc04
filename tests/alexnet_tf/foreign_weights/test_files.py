"""Files of weights that nobody vouches for: whatever is wrong with one is told in one line."""

import io
import resource
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from alexnet_tf.errors import ConfigError
from alexnet_tf.foreign_weights.files import HEADER_BYTES, open_arrays

NUMBERS = np.arange(4000, dtype=np.float32).reshape(40, 100)


def all_read(path: Path) -> dict[str, np.ndarray]:
    with open_arrays(path) as arrays:
        return {name: array.read() for name, array in arrays.items()}


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        all_read(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def npy(header: str, version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode()


def zipped(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", content)
    return path


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_both_versions_of_npy_are_read(tmp_path, version):
    content = io.BytesIO()
    np.lib.format.write_array(content, NUMBERS, version)
    arrays = all_read(zipped(tmp_path / "a.npz", content.getvalue()))
    assert list(arrays) == ["a"]
    np.testing.assert_array_equal(arrays["a"], NUMBERS)


def test_any_byte_of_a_packed_file_may_be_damaged(tmp_path):
    """It is told, or it makes no difference (a date, and the like)."""
    np.savez_compressed(tmp_path / "whole.npz", a=NUMBERS[:2])
    whole, told = (tmp_path / "whole.npz").read_bytes(), 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        (tmp_path / "a.npz").write_bytes(damaged)
        try:
            arrays = all_read(tmp_path / "a.npz")
        except ConfigError as error:
            assert "is damaged" in str(error)  # noqa: PT017 - it may also not be
            told += 1
        else:
            for array in arrays.values():
                np.testing.assert_array_equal(array, NUMBERS[:2])
    assert told > len(whole) // 2


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': 'f4,,', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), ",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, ",
        "((((((",
        "'",
        "",
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_broken_headers_are_told(tmp_path, header, version):
    path = zipped(tmp_path / "a.npz", npy(header, version) + bytes(8))
    assert "a.npz is damaged, or not what its name says: " in refused(path)


def test_a_header_as_large_as_a_bomb_is_refused_before_it_is_read(tmp_path):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".ljust(200 << 20)
    path = zipped(tmp_path / "a.npz", npy(header, 2))
    del header
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (50 << 20), hard))
    try:
        line = refused(path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert f"expected a header of at most {HEADER_BYTES} bytes, received {200 << 20}" in line


def test_hdf5_types_that_numpy_does_not_know_are_told(tmp_path):
    with h5py.File(tmp_path / "time.h5", "w") as file:
        of_time = h5py.h5t.UNIX_D32LE
        h5py.h5d.create(file.id, b"a", of_time, h5py.h5s.create_simple((4,)))
    assert "time.h5 is damaged, or not what its name says: " in refused(tmp_path / "time.h5")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["a"] = h5py.Empty("f4")
    assert "expected numbers in 'a', received none" in refused(tmp_path / "empty.h5")


def test_a_fault_of_the_caller_is_not_put_on_the_file(tmp_path):
    np.savez(tmp_path / "a.npz", a=NUMBERS)
    with pytest.raises(ValueError, match="mine"), open_arrays(tmp_path / "a.npz"):
        raise ValueError("mine")


def test_too_little_memory_is_no_damage(tmp_path, monkeypatch):
    def read(*_, **__):
        raise MemoryError

    np.savez(tmp_path / "a.npz", a=NUMBERS)
    monkeypatch.setattr(np.lib.format, "read_array", read)
    with pytest.raises(MemoryError):
        all_read(tmp_path / "a.npz")
