"""What a source holds: references to images, compactly; nothing is decoded here.

Fourteen million references as Python objects would take gigabytes; as columns they take about
fifty bytes each.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from preprocessing.dataset.info import ClassName


class ImageRef(NamedTuple):
    """Where an image stands.

    Attributes:
        container: index into Listing.containers.
        name: of the image within its class; for a folder, the path below the container.
        offset: of its first byte in the container; -1 if the image is a file of its own.
        size: in bytes.
        label: 0-based class number, -1 if unlabelled.
    """

    container: int
    name: str
    offset: int
    size: int
    label: int


@dataclass(frozen=True)
class Container:
    """What holds images: kind "folder", "archive" (tar) or "cifar10" (a batch), and path."""

    kind: str
    path: str


@dataclass(frozen=True)
class RejectEntry:
    """An image that is not in the dataset, and why; a line of rejects.jsonl."""

    split: str
    filename: str
    where: str
    reason: str
    detail: str


class ImageList:
    """A sequence of ImageRef, kept as columns."""

    def __init__(self):
        self._container = array("i")
        self._offset = array("q")
        self._size = array("q")
        self._label = array("i")
        self._names = bytearray()
        self._name_end = array("q")

    def append(self, ref: ImageRef) -> None:
        self._container.append(ref.container)
        self._offset.append(ref.offset)
        self._size.append(ref.size)
        self._label.append(ref.label)
        self._names += ref.name.encode("utf-8", "surrogateescape")
        self._name_end.append(len(self._names))

    def __len__(self) -> int:
        return len(self._label)

    def __getitem__(self, index: int) -> ImageRef:
        begin = self._name_end[index - 1] if index else 0
        name = self._names[begin : self._name_end[index]].decode("utf-8", "surrogateescape")
        return ImageRef(
            self._container[index], name, self._offset[index], self._size[index], self._label[index]
        )

    def __iter__(self) -> Iterator[ImageRef]:
        return (self[index] for index in range(len(self)))

    @property
    def labels(self) -> np.ndarray:
        """int32 [len]: the label of each image."""
        return np.array(self._label, np.int32)

    def selected(self, indices: np.ndarray) -> "ImageList":
        """The images of these indices, in their order."""
        result = ImageList()
        for index in indices:
            result.append(self[index])
        return result

    def to_bytes(self) -> bytes:
        """The columns, for another process."""
        head = np.array([len(self), len(self._names)], np.int64)
        columns = (self._container, self._offset, self._size, self._label, self._name_end)
        return b"".join((head.tobytes(), *(column.tobytes() for column in columns), self._names))

    @classmethod
    def from_bytes(cls, data: bytes) -> "ImageList":
        """What to_bytes gave. Raises ValueError for bytes of another length."""
        result = cls()
        count, names = (int(value) for value in np.frombuffer(data, np.int64, 2))
        position = 16
        columns = (result._container, result._offset, result._size, result._label, result._name_end)
        for column in columns:
            end = position + count * column.itemsize
            column.frombytes(data[position:end])
            position = end
        result._names += data[position:]
        if len(result._name_end) != count or len(result._names) != names:
            raise ValueError(f"expected {count} images, received {len(data)} bytes")
        return result


@dataclass
class Listing:
    """What a source holds.

    Attributes:
        classes: by label.
        containers: files and folders that ImageRefs point into.
        splits: images by split.
        rejects: what was found unusable without reading it.
        identity: the state of the input, item by item, to notice a change before resuming.
        ignored: number of files that are not meant as images, by their place or name.
    """

    classes: tuple[ClassName, ...] = ()
    containers: list[Container] = field(default_factory=list)
    splits: dict[str, ImageList] = field(default_factory=dict)
    rejects: list[RejectEntry] = field(default_factory=list)
    identity: dict[str, str] = field(default_factory=dict)
    ignored: int = 0

    def add_container(self, kind: str, path: str) -> int:
        """Adds a container; returns its index."""
        self.containers.append(Container(kind, path))
        return len(self.containers) - 1

    def add(self, split: str, ref: ImageRef) -> None:
        """Appends an image to a split."""
        self.splits.setdefault(split, ImageList()).append(ref)

    def order_key(self, split: str, ref: ImageRef) -> str:
        """What identifies an image however its source is laid out: packed or extracted."""
        synset = self.classes[ref.label].synset if ref.label >= 0 else ""
        return f"{split}/{synset}/{ref.name}"


def seeded_hashes(seed: int, keys: Iterable[str]) -> np.ndarray:
    """uint64: order images by it at random, alike on every machine and version of NumPy."""
    digests = (
        hashlib.blake2b(f"{seed}/{key}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
        for key in keys
    )
    return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)
