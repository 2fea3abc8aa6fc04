"""PyTorch's files of weights (.pth, .pt), read without PyTorch and without running what they say.

`torch.save` writes a pickle that tells of tensors, and their numbers beside it: since PyTorch 1.6
in a zip (PREFIX/data.pkl, PREFIX/data/KEY), before that one after the other. The pickle is not
unpickled: `torch_pickle` looks its opcodes through and knows tensors alone.
"""

from __future__ import annotations

import contextlib
import io
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from alexnet_tf.foreign_weights.stored import StoredArray
from alexnet_tf.foreign_weights.torch_pickle import Storage, Tensor, tensors, value

PICKLE_BYTES = 16 << 20  # at most; a network's is some kilobytes
MAX_NUMBERS = 1 << 31  # of one storage
DTYPES = {"HalfStorage": "float16", "FloatStorage": "float32", "DoubleStorage": "float64"}
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # torch/serialization.py: of files before 1.6


def read_torch(path: Path, stack: contextlib.ExitStack) -> dict[str, StoredArray]:
    """The tensors of a file by name, readable until the stack is closed.

    Raises ValueError, KeyError, OSError, zipfile.BadZipFile: it holds something else, or is
    damaged.
    """
    if zipfile.is_zipfile(path):
        return _zipped(stack.enter_context(zipfile.ZipFile(path)))
    return _in_a_row(stack.enter_context(path.open("rb")))


def _zipped(archive: zipfile.ZipFile) -> dict[str, StoredArray]:
    names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(names) != 1:
        raise ValueError(f"expected one data.pkl, received {len(names)}")
    prefix = names[0].removesuffix("data.pkl")
    order = f"{prefix}byteorder"  # since PyTorch 2.1
    if order in archive.namelist() and _member(archive, order, 16) != b"little":
        raise ValueError("expected little-endian numbers")
    content, _ = value(io.BytesIO(_member(archive, names[0], PICKLE_BYTES)))

    def numbers(storage: Storage) -> bytes:
        return _member(archive, f"{prefix}data/{storage.key}", storage.count * _size(storage))

    return _arrays(tensors(content), numbers)


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Stored, not packed, as torch.save does it: so nothing is larger than the file."""
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > limit:
        raise ValueError(f"expected {name} of at most {limit} bytes, not packed")
    return archive.read(member)


def _in_a_row(file: BinaryIO) -> dict[str, StoredArray]:
    """Five pickles: magic number, protocol, system, tensors, keys; then each storage: its count in
    eight bytes, and its numbers."""
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(PICKLE_BYTES)
    position, found = 0, []
    for _ in range(5):
        content, used = value(io.BytesIO(head[position:]))
        found.append(content)
        position += used
        if found[0] != MAGIC:
            raise ValueError("expected a file of torch.save")
    _, protocol, system, content, keys = found
    little = isinstance(system, dict) and system.get("little_endian") is True
    if protocol != PROTOCOL or not little or not isinstance(keys, list):
        raise ValueError("expected torch.save's protocol 1001, and little-endian numbers")
    described = tensors(content)
    storages = {tensor.storage.key: tensor.storage for tensor in described.values()}
    places = {}
    for key in map(str, keys):
        storage = storages[key]
        file.seek(position)
        if int.from_bytes(file.read(8), "little") != storage.count:
            raise ValueError(f"expected {storage.count} numbers in storage {key}")
        places[key] = position + 8
        position += 8 + storage.count * _size(storage)
    if position > length:
        raise ValueError("its end is missing")

    def numbers(storage: Storage) -> bytes:
        file.seek(places[storage.key])
        return file.read(storage.count * _size(storage))

    return _arrays(described, numbers)


def _size(storage: Storage) -> int:
    """Bytes of a number; storages of other types than floating-point ones are never read."""
    if storage.type not in DTYPES:
        raise ValueError(f"expected numbers in {', '.join(DTYPES)}, received {storage.type}")
    if not 0 <= storage.count <= MAX_NUMBERS:
        raise ValueError(f"expected at most {MAX_NUMBERS} numbers, received {storage.count}")
    return np.dtype(DTYPES[storage.type]).itemsize


def _arrays(
    described: dict[str, Tensor], numbers: Callable[[Storage], bytes]
) -> dict[str, StoredArray]:
    return {
        name: StoredArray(
            tensor.shape,
            DTYPES.get(tensor.storage.type, tensor.storage.type),
            lambda tensor=tensor: _array(tensor, numbers),
        )
        for name, tensor in described.items()
    }


def _array(tensor: Tensor, numbers: Callable[[Storage], bytes]) -> np.ndarray:
    """The tensor's part of its storage. Raises ValueError where it would lie outside."""
    storage = tensor.storage
    size = _size(storage)
    last = tensor.offset + sum(
        (n - 1) * s for n, s in zip(tensor.shape, tensor.strides, strict=True)
    )
    if 0 in tensor.shape or math.prod(tensor.shape) > storage.count or last >= storage.count:
        raise ValueError(f"expected a tensor within its storage of {storage.count} numbers")
    data = np.frombuffer(numbers(storage), DTYPES[storage.type], storage.count)[tensor.offset :]
    strides = tuple(stride * size for stride in tensor.strides)
    return np.lib.stride_tricks.as_strided(data, tensor.shape, strides, writeable=False).copy()
