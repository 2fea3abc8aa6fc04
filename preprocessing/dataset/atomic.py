"""Files and directories that appear whole or not at all: made under another name, then renamed."""

import contextlib
import os
import shutil
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
        with _named(path, temporary):
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        if os.path.lexists(temporary):  # where it could not be made, that error is told
            os.unlink(temporary)


@contextlib.contextmanager
def _named(path: str | os.PathLike[str], temporary: str) -> Iterator[None]:
    """Within it, an OSError about the temporary name is about the one that was asked for."""
    try:
        yield
    except OSError as error:
        if error.filename == temporary:
            error.filename = os.fspath(path)
            del error.filename2  # of a renaming, where it is the same now
        raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """`replacing`, of a whole text in UTF-8."""
    with replacing(path) as file:
        file.write(text.encode())


@contextlib.contextmanager
def replacing_directory(path: str | os.PathLike[str]) -> Iterator[str]:
    """A new directory to fill, which takes the name `path` once the block has succeeded.

    What had that name before, if anything, is put aside first, put back if the renaming fails, and
    removed last; a link stays, and what it points to is replaced. An exception in the block removes
    the new directory and leaves `path` alone. Both other names begin with a dot and lie beside
    `path`, where a process that is killed leaves them.

    Raises OSError: it cannot be made, filled or renamed.
    """
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    unique = f".{name}.{os.getpid()}.{os.urandom(4).hex()}"
    new, old = (os.path.join(folder, f"{unique}.{kind}") for kind in ("new", "old"))
    with _named(path, new):
        os.mkdir(new)
    try:
        yield new
        replaced = os.path.lexists(path)
        if replaced:
            os.replace(path, old)
        try:
            with _named(path, new):
                os.replace(new, path)
        except BaseException:
            if replaced:
                os.replace(old, path)
            raise
        if replaced:
            shutil.rmtree(old)
    finally:
        shutil.rmtree(new, ignore_errors=True)
