"""What a source holds: references to images, compactly; nothing is decoded here.

Fourteen million references as Python objects would take gigabytes; as columns they take about
fifty bytes each.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from preprocessing.dataset.info import ClassName

_BLOCK = 1 << 16  # images whose names are gathered at a time: it takes 16 bytes for each of a name


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
        self._name_end = array("q")
        self._names = bytearray()

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

    def encoded_names(self) -> Iterator[bytes]:
        """Each image's name in UTF-8 (or as the filesystem has it)."""
        begin = 0
        for end in self._name_end:
            yield bytes(self._names[begin:end])
            begin = end

    def selected(self, indices: np.ndarray) -> "ImageList":
        """The images of these indices, in their order."""
        result = ImageList()
        for selected, column in zip(result._columns(), self._columns(), strict=True):
            selected.frombytes(np.frombuffer(column, column.typecode)[indices].tobytes())
        for begin in range(0, len(indices), _BLOCK):
            result._add_names(self, indices[begin : begin + _BLOCK])
        return result

    def take_out(self, mask: np.ndarray) -> "ImageList":
        """Removes the images where the mask (bool [len]) is set, and returns them."""
        taken = self.selected(np.flatnonzero(mask))
        kept = np.flatnonzero(~mask)
        rest = ImageList()
        for begin in range(0, len(kept), _BLOCK):
            rest._add_names(self, kept[begin : begin + _BLOCK])
        self._names, self._name_end = rest._names, rest._name_end
        for column in self._columns():  # one after the other: they may take a gigabyte
            values = np.frombuffer(column, column.typecode)[kept].tobytes()
            del column[:]
            column.frombytes(values)
        return taken

    def _columns(self) -> tuple[array, ...]:
        """All but the names and where they end."""
        return self._container, self._offset, self._size, self._label

    def _add_names(self, other: "ImageList", indices: np.ndarray) -> None:
        """Appends the names of some of the other's images."""
        ends = np.frombuffer(other._name_end, np.int64)
        begins = np.where(indices > 0, ends[indices - 1], 0)
        lengths = ends[indices] - begins
        own_ends = np.cumsum(lengths)
        # For each byte, its place in the other's names.
        places = np.repeat(begins - (own_ends - lengths), lengths) + np.arange(lengths.sum())
        own_ends += len(self._names)
        self._names += np.frombuffer(other._names, np.uint8)[places].tobytes()
        self._name_end.frombytes(own_ends.tobytes())

    def to_bytes(self) -> bytes:
        """The columns, for another process."""
        head = np.array([len(self), len(self._names)], np.int64)
        columns = (*self._columns(), self._name_end)
        return b"".join((head.tobytes(), *(column.tobytes() for column in columns), self._names))

    @classmethod
    def from_bytes(cls, data: bytes) -> "ImageList":
        """What to_bytes gave. Raises ValueError for bytes of another length."""
        result = cls()
        count, names = (int(value) for value in np.frombuffer(data, np.int64, 2))
        position = 16
        for column in (*result._columns(), result._name_end):
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
        if split not in self.splits:
            self.splits[split] = ImageList()
        self.splits[split].append(ref)

    def order_key(self, split: str, ref: ImageRef) -> str:
        """What identifies an image however its source is laid out: packed or extracted."""
        synset = self.classes[ref.label].synset if ref.label >= 0 else ""
        return f"{split}/{synset}/{ref.name}"

    def order_hashes(self, split: str, seed: int, purpose: str = "") -> np.ndarray:
        """uint64 [images of the split]: to order them at random by, alike on every machine.

        They depend on nothing but the seed, the purpose and each image's ``order_key``.
        """
        images = self.splits[split]
        synsets = [*(name.synset for name in self.classes), ""]  # the last, -1, has no label
        beginnings = [
            f"{seed}/{purpose}{split}/{synset}/".encode("utf-8", "surrogateescape")
            for synset in synsets
        ]
        hashes = (
            int.from_bytes(blake2b(beginnings[label] + name, digest_size=8).digest())
            for label, name in zip(images.labels, images.encoded_names(), strict=True)
        )
        return np.fromiter(hashes, np.uint64, len(images))
