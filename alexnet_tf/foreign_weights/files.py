"""Named arrays from .npz, .h5, .safetensors and .pth files that nobody vouches for.

Names, shapes and types are known before any data is read, so the caller can refuse a file cheaply.
Nothing is unpickled; HDF5 links to elsewhere are not followed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import h5py
import numpy as np

from alexnet_tf.errors import ConfigError, UserError
from alexnet_tf.foreign_weights.stored import StoredArray
from alexnet_tf.foreign_weights.torch_files import read_torch

_TORCH = (
    '; convert it where PyTorch is: python -c "import torch,'
    " numpy; numpy.savez('alexnet.npz', **{{k: v.numpy() for k, v in torch.load({!r},"
    ' weights_only=True).items()}})"'
)
# Where a file cannot be read here, the line that makes one that can.
CONVERSIONS = {
    ".pth": _TORCH,
    ".pt": _TORCH,
    ".caffemodel": (
        "; convert it where Caffe is, with its network's deploy.prototxt: python -c \"import caffe,"
        " numpy; net = caffe.Net('deploy.prototxt', {!r}, caffe.TEST); numpy.savez('alexnet.npz',"
        " **{{f'{{layer}}/{{i}}': blob.data for layer, blobs in net.params.items() for i, blob in"
        ' enumerate(blobs)}})"'
    ),
}
FLOATS = ("float16", "float32", "float64")
HEADER_BYTES = 1 << 16  # of an .npy file, at most
Result = TypeVar("Result")


@contextlib.contextmanager
def open_arrays(path: Path) -> Iterator[dict[str, StoredArray]]:
    """The arrays of a file by name, readable within the context.

    Raises ConfigError: no such file, another format, damaged, or not of floating-point numbers.
    """
    openers = {
        **{".npz": _npz, ".h5": _h5, ".hdf5": _h5, ".safetensors": _safetensors},
        **{".pth": read_torch, ".pt": read_torch},
    }
    opener = openers.get(path.suffix)
    if opener is None or not os.path.isfile(path):
        hint = _conversion(path) if opener is None else ", which is no file"
        raise ConfigError(
            f"--input: expected a file that ends in {', '.join(openers)}, received {path}{hint}"
        )
    with contextlib.ExitStack() as stack:
        arrays = _told(path, lambda: opener(path, stack))
        for name, array in arrays.items():
            if array.dtype not in FLOATS:
                raise ConfigError(
                    f"--input: expected arrays of {', '.join(FLOATS)} in {path}, received"
                    f" {array.dtype} for {name!r}"
                )
        yield {
            name: dataclasses.replace(array, read=lambda read=array.read: _told(path, read))
            for name, array in arrays.items()
        }


def _told(path: Path, read: Callable[[], Result]) -> Result:
    """What `read` returns. Raises ConfigError where the file is not as it expects it."""
    try:
        return read()
    except (UserError, MemoryError):
        raise
    except Exception as error:  # the libraries raise nearly everything on damaged bytes
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ConfigError(
            f"--input: {path} is damaged, or not what its name says: {reason}{_conversion(path)}"
        ) from error


def _conversion(path: Path) -> str:
    return CONVERSIONS.get(path.suffix, "").format(str(path))


def _npz(path: Path, stack: contextlib.ExitStack) -> dict[str, StoredArray]:
    archive = stack.enter_context(zipfile.ZipFile(path))
    arrays = {}
    for member in archive.namelist():
        if not member.endswith(".npy"):
            raise ValueError(f"expected members that end in .npy, received {member!r}")
        with archive.open(member) as file:
            shape, dtype = _npy_header(file)

        def read(member: str = member) -> np.ndarray:
            with archive.open(member) as file:
                return np.lib.format.read_array(file, allow_pickle=False)

        arrays[member.removesuffix(".npy")] = StoredArray(shape, dtype.name, read)
    return arrays


def _npy_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type; a header is not read before its length is known to be a header's."""
    version = np.lib.format.read_magic(file)
    known = {
        (1, 0): (2, np.lib.format.read_array_header_1_0),
        (2, 0): (4, np.lib.format.read_array_header_2_0),
    }
    if version not in known:
        raise ValueError(f"expected version 1.0 or 2.0 of .npy, received {version}")
    count, parse = known[version]
    length = file.read(count)
    size = int.from_bytes(length, "little")
    if size > HEADER_BYTES:
        raise ValueError(f"expected a header of at most {HEADER_BYTES} bytes, received {size}")
    shape, _, dtype = parse(io.BytesIO(length + file.read(size)))
    return shape, dtype


def _h5(path: Path, stack: contextlib.ExitStack) -> dict[str, StoredArray]:
    file = stack.enter_context(h5py.File(path, "r"))
    arrays = {}

    def visit(
        name: str, item: h5py.Group | h5py.Dataset
    ) -> None:  # visititems follows no soft or external links
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError(f"expected the data of {name!r} in this file, not in another")
            if item.shape is None:
                raise ValueError(f"expected numbers in {name!r}, received none")
            arrays[name] = StoredArray(item.shape, item.dtype.name, lambda item=item: item[()])

    file.visititems(visit)
    return arrays


def _safetensors(path: Path, stack: contextlib.ExitStack) -> dict[str, StoredArray]:
    try:
        import safetensors
    except ImportError as error:
        raise ConfigError(
            "--input: .safetensors files need the package safetensors: pip install safetensors"
        ) from error
    types = {"F16": "float16", "F32": "float32", "F64": "float64"}
    try:
        file = stack.enter_context(safetensors.safe_open(path, framework="numpy"))
        names = list(file.keys())
        slices = {name: file.get_slice(name) for name in names}
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from error
    return {
        name: StoredArray(
            tuple(part.get_shape()),
            types.get(part.get_dtype(), part.get_dtype()),
            lambda name=name: file.get_tensor(name),
        )
        for name, part in slices.items()
    }
