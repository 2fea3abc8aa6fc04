"""Files that appear whole or not at all: written under a temporary name, then renamed."""

import contextlib
import os
from collections.abc import Iterator
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A new file to write, which takes the name `path` once the block has succeeded.

    It lies beside `path` under a name that no other process uses and that begins with a dot; it is
    on the disk before it is renamed. An exception in the block removes it and leaves `path` alone.

    Raises OSError: it cannot be made, written or renamed.
    """
    folder, name = os.path.split(os.fspath(path))
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """`replacing`, of a whole text in UTF-8."""
    with replacing(path) as file:
        file.write(text.encode())
