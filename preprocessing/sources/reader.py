"""Reads images' bytes where they stand: files, members of tar archives, CIFAR-10 records."""

import os
from collections.abc import Callable
from typing import BinaryIO

from preprocessing.errors import DatasetError
from preprocessing.images.convert import Reject
from preprocessing.sources.listing import Container, ImageRef
from preprocessing.storage.files import Files

MAX_FILE_BYTES = 256 << 20
CIFAR_SIDE = 32


class ImageReader:
    """Reads images' bytes from folders, tar archives and CIFAR-10 batches, in place."""

    def __init__(self, files_for: Callable[[str], Files], containers: tuple[Container, ...]):
        self._files_for = files_for
        self._containers = containers
        self._open: dict[int, BinaryIO] = {}

    def __enter__(self) -> "ImageReader":
        return self

    def __exit__(self, *exception) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()

    def where(self, ref: ImageRef) -> str:
        """The container's path, for messages."""
        return self._containers[ref.container].path

    def read(self, ref: ImageRef) -> bytes:
        """The image's file.

        Raises:
            Reject: it is larger than any image.
            DatasetError: the input has changed since it was listed.
            OSError: it cannot be read.
        """
        if ref.size > MAX_FILE_BYTES:
            raise Reject("file-too-large", f"{ref.size} bytes; the limit is {MAX_FILE_BYTES}")
        container = self._containers[ref.container]
        if ref.offset < 0:
            files = self._files_for(container.path)
            with files.open(files.join(container.path, ref.name)) as file:
                data = file.read(ref.size + 1)  # a larger limit costs time: it is allocated
        else:
            data = _read_at(self._archive(ref.container), ref.offset, ref.size)
        if len(data) != ref.size:
            raise DatasetError(
                f"expected {ref.size} bytes of {ref.name} in {container.path}, received "
                f"{len(data)}: the input changed while it was converted"
            )
        return _cifar_image(data) if container.kind == "cifar10" else data

    def read_ahead(self, ref: ImageRef) -> None:
        """Tells the system that this image comes soon: archives are read in random order."""
        if ref.offset < 0 or not hasattr(os, "posix_fadvise"):
            return
        if self._files_for(self.where(ref)).is_local:
            descriptor = self._archive(ref.container).fileno()
            os.posix_fadvise(descriptor, ref.offset, ref.size, os.POSIX_FADV_WILLNEED)

    def _archive(self, index: int) -> BinaryIO:
        if index not in self._open:
            path = self._containers[index].path
            self._open[index] = self._files_for(path).open_for_jumps(path)
        return self._open[index]


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    """The bytes at offset:offset + size; fewer if the file ends before."""
    file.seek(offset)
    data = file.read(size)
    while 0 < len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data


def _cifar_image(data: bytes) -> bytes:
    """A CIFAR-10 record (label, then red, green and blue planes) as a PPM file, without loss."""
    plane = CIFAR_SIDE * CIFAR_SIDE
    pixels = bytearray(3 * plane)
    for channel in range(3):
        pixels[channel::3] = data[1 + channel * plane : 1 + (channel + 1) * plane]
    return b"P6 %d %d 255\n" % (CIFAR_SIDE, CIFAR_SIDE) + bytes(pixels)
