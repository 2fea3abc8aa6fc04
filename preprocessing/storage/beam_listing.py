"""What lies in a folder of Beam's filesystems: object stores have none, HDFS has its own."""

from collections.abc import Iterable, Iterator

from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem
from apache_beam.io.filesystems import FileSystems

from preprocessing.storage.store_errors import store_errors


def list_below(folder: str) -> Iterator[tuple[str, int, float]]:
    """(path below the folder, bytes, seconds of last change) of each file below it.

    Not by FileSystems.match, which would make a list of a million objects of them, and does not
    look into folders of HDFS. Keys that end in "/" are no files: consoles make such objects,
    without bytes, to show an empty folder.
    """
    folder = folder.rstrip("/") + "/"
    system = FileSystems.get_filesystem(folder)
    if system.has_dirs():
        found = _descend(system, _inside(system, folder) or ())
    else:
        found = system._list(folder)
    for metadata in found:
        name = metadata.path[len(folder) :]
        if name and not name.endswith("/"):
            yield name, metadata.size_in_bytes, float(metadata.last_updated_in_seconds or 0)


def list_names(folder: str) -> list[str]:
    """Sorted names directly in a folder; none if there is no such folder."""
    folder = folder.rstrip("/") + "/"
    system = FileSystems.get_filesystem(folder)
    if system.has_dirs():
        return sorted(entry.path[len(folder) :] for entry in _inside(system, folder) or ())
    return sorted({name.split("/")[0] for name, _, _ in list_below(folder)})


def file_at(path: str) -> FileMetadata | None:
    """Of a file; None if there is none of this path, or a folder."""
    found = FileSystems.match([path])[0].metadata_list
    system = FileSystems.get_filesystem(path)
    if not found or (system.has_dirs() and _entries(system, found[0]) is not None):
        return None
    return found[0]


def is_there(folder: str) -> bool:
    """Whether there is anything to delete of a folder."""
    system = FileSystems.get_filesystem(folder)
    if system.has_dirs():
        return _inside(system, folder) is not None
    return next(list_below(folder), None) is not None


def _descend(system: FileSystem, found: Iterable[FileMetadata]) -> Iterator[FileMetadata]:
    for metadata in found:
        entries = _entries(system, metadata)
        if entries is None:
            yield metadata
        else:
            yield from _descend(system, entries)


def _entries(system: FileSystem, metadata: FileMetadata) -> list[FileMetadata] | None:
    """What is in a folder; None for a file. Beam does not tell them; folders have no bytes."""
    return None if metadata.size_in_bytes else _inside(system, metadata.path)


def _inside(system: FileSystem, folder: str) -> list[FileMetadata] | None:
    """Files and folders directly in a folder of HDFS; None for a file, or nothing, of this path."""
    try:
        return list(system._list(folder))
    except BeamIOError as error:
        with store_errors(folder):
            if "is not a directory" in str(error) or not system.exists(folder):
                return None
        raise
