"""Files as torch.save writes them, made without PyTorch: a pickle by Python's own pickler."""

import collections
import io
import pickle
import sys
import types
import zipfile
from pathlib import Path

import numpy as np

STORAGES = {"float16": "HalfStorage", "float32": "FloatStorage", "float64": "DoubleStorage"}
STORAGES["int64"] = "LongStorage"


class Tensor:
    """What stands for a tensor while it is pickled; contiguous unless it has strides of its own."""

    def __init__(self, array, strides=None, offset=0, shape=None):
        self.array, self.offset, self.shape = array, offset, shape or array.shape
        self.strides = strides
        if strides is None:
            self.strides = tuple(stride // array.itemsize for stride in array.strides)


def module(name: str, **members) -> types.ModuleType:
    made = types.ModuleType(name)
    for key, member in members.items():
        member.__module__, member.__qualname__ = name, key
        setattr(made, key, member)
    return made


def _rebuild_tensor_v2(*_):
    raise AssertionError("nothing may call it")


TYPES = {name: type(name, (), {}) for name in STORAGES.values()}
MODULES = {
    "torch": module("torch", **TYPES),
    "torch._utils": module("torch._utils", _rebuild_tensor_v2=_rebuild_tensor_v2),
}


class Storage:
    def __init__(self, array, key):
        self.array, self.key = array, key


class Pickler(pickle.Pickler):
    """Protocol 2, as torch.save's; storages become persistent identities."""

    def __init__(self, file, view):
        super().__init__(file, protocol=2)
        self.view, self.storages = view, {}

    def persistent_id(self, item):
        if not isinstance(item, Storage):
            return None
        kind = TYPES[STORAGES[item.array.dtype.name]]
        return ("storage", kind, item.key, "cpu", item.array.size, *self.view)

    def reducer_override(self, item):
        if not isinstance(item, Tensor):
            return NotImplemented
        key = str(len(self.storages))
        self.storages[key] = np.ascontiguousarray(item.array)
        hooks = collections.OrderedDict()
        parts = (Storage(item.array, key), item.offset, item.shape, item.strides, False, hooks)
        return _rebuild_tensor_v2, parts


def pickled(content, view=()) -> tuple[bytes, dict[str, np.ndarray]]:
    file = io.BytesIO()
    before = {name: sys.modules.get(name) for name in MODULES}
    sys.modules.update(MODULES)  # the pickler makes sure that names are there
    try:
        pickler = Pickler(file, view)
        pickler.dump(content)
    finally:
        for name, there in before.items():
            del sys.modules[name]
            if there is not None:
                sys.modules[name] = there
    return file.getvalue(), pickler.storages


def state_dict(arrays: dict[str, np.ndarray]) -> collections.OrderedDict:
    """With the attribute that a module's state_dict has."""
    content = collections.OrderedDict((name, Tensor(array)) for name, array in arrays.items())
    content._metadata = collections.OrderedDict({"": {"version": 1}})
    return content


def write_zip(path: Path, content, packed: bool = False) -> Path:
    """Since PyTorch 1.6."""
    data, storages = pickled(content)
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/byteorder", "little")
        for key, array in storages.items():
            archive.writestr(f"archive/data/{key}", array.tobytes())
        archive.writestr("archive/version", "3\n")
    return path


def write_legacy(path: Path, content) -> Path:
    """Before PyTorch 1.6."""
    data, storages = pickled(content, view=(None,))
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    with path.open("wb") as file:
        for head in (0x1950A86A20F9469CFC6C, 1001, system):
            pickle.dump(head, file, protocol=2)
        file.write(data)
        pickle.dump(sorted(storages), file, protocol=2)
        for key in sorted(storages):
            file.write(storages[key].size.to_bytes(8, "little") + storages[key].tobytes())
    return path


WRITERS = {"zip": write_zip, "legacy": write_legacy}
