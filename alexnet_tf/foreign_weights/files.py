"""Named arrays from .npz, .h5, .safetensors and .pth files that nobody vouches for.

Names, shapes and types are known before any data is read, so the caller can refuse a file cheaply.
Nothing is unpickled; HDF5 links to elsewhere are not followed.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from alexnet_tf.errors import ConfigError
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
    if opener is None or not path.is_file():
        hint = _conversion(path) if opener is None else ", which is no file"
        raise ConfigError(
            f"--input: expected a file that ends in {', '.join(openers)}, received {path}{hint}"
        )
    with contextlib.ExitStack() as stack:
        try:
            arrays = opener(path, stack)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, RuntimeError) as error:
            raise _damaged(path, error) from error
        for name, array in arrays.items():
            if array.dtype not in FLOATS:
                raise ConfigError(
                    f"--input: expected arrays of {', '.join(FLOATS)} in {path}, received"
                    f" {array.dtype} for {name!r}"
                )
        try:
            yield arrays
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            if isinstance(error, ConfigError):
                raise
            raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ConfigError:
    reason = " ".join(str(error).split())[:300]
    return ConfigError(
        f"--input: {path} is damaged, or not what its name says: {reason}{_conversion(path)}"
    )


def _conversion(path: Path) -> str:
    return CONVERSIONS.get(path.suffix, "").format(str(path))


def _npz(path: Path, stack: contextlib.ExitStack) -> dict[str, StoredArray]:
    archive = stack.enter_context(zipfile.ZipFile(path))
    arrays = {}
    for member in archive.namelist():
        if not member.endswith(".npy"):
            raise ValueError(f"expected members that end in .npy, received {member!r}")
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }.get(version)
            if header is None:
                raise ValueError(f"expected version 1.0 or 2.0 of .npy, received {version}")
            shape, _, dtype = header(file)

        def read(member: str = member) -> np.ndarray:
            with archive.open(member) as file:
                return np.lib.format.read_array(file, allow_pickle=False)

        arrays[member.removesuffix(".npy")] = StoredArray(shape, dtype.name, read)
    return arrays


def _h5(path: Path, stack: contextlib.ExitStack) -> dict[str, StoredArray]:
    file = stack.enter_context(h5py.File(path, "r"))
    arrays = {}

    def visit(
        name: str, item: h5py.Group | h5py.Dataset
    ) -> None:  # visititems follows no soft or external links
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError(f"expected the data of {name!r} in this file, not in another")
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
