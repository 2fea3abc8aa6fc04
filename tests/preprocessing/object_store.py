"""An object store in memory, as a filesystem of Beam's: it stands in for gs://, s3://, hdfs://."""

import io
import posixpath
import time

from apache_beam.io.filesystem import (
    BeamIOError,
    CompressedFile,
    CompressionTypes,
    FileMetadata,
    FileSystem,
)

BLOBS: dict[str, tuple[bytes, float]] = {}  # path -> bytes, time of change


class _Written(io.BytesIO):
    """Like an object store: the object is there, whole, once the file is closed."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def close(self):
        if not self.closed:
            BLOBS[self.path] = (self.getvalue(), time.time())
        super().close()


class BlobFileSystem(FileSystem):
    """An object store in memory: names with slashes, no folders, no renaming onto a name."""

    @classmethod
    def scheme(cls):
        return "blob"

    def join(self, basepath, *paths):
        return posixpath.join(basepath, *paths)

    def split(self, path):
        return posixpath.split(path)

    def mkdirs(self, path):
        pass

    def has_dirs(self):
        return False

    def _list(self, prefix):
        for path, (data, changed) in list(BLOBS.items()):
            if path.startswith(prefix):
                yield FileMetadata(path, len(data), changed)

    def create(self, path, mime_type="", compression_type=CompressionTypes.AUTO):
        return _Written(path)

    def open(self, path, mime_type="", compression_type=CompressionTypes.AUTO):
        if path not in BLOBS:
            raise BeamIOError(f"no {path}")
        file = io.BytesIO(BLOBS[path][0])
        if compression_type == CompressionTypes.AUTO and path.endswith(".gz"):
            return CompressedFile(file, CompressionTypes.GZIP)
        return file

    def copy(self, source_file_names, destination_file_names):
        raise NotImplementedError

    def rename(self, source_file_names, destination_file_names):
        for source, target in zip(source_file_names, destination_file_names, strict=True):
            if target in BLOBS:
                raise BeamIOError(f"{target} exists")
            BLOBS[target] = BLOBS.pop(source)

    def exists(self, path):
        return path in BLOBS

    def size(self, path):
        return len(BLOBS[path][0])

    def last_updated(self, path):
        return BLOBS[path][1]

    def checksum(self, path):
        raise NotImplementedError

    def metadata(self, path):
        return FileMetadata(path, self.size(path), self.last_updated(path))

    def delete(self, paths):
        for path in paths:
            found = [
                name for name in BLOBS if name == path or name.startswith(path.rstrip("/") + "/")
            ]
            for name in found:
                del BLOBS[name]


def upload(folder, to):
    """Puts the files below a folder into the store, and marks of its folders, as consoles do."""
    BLOBS[f"{to}/"] = (b"", 1.0)
    for path in folder.rglob("*"):
        name = f"{to}/{path.relative_to(folder)}"
        if path.is_file():
            BLOBS[name] = (path.read_bytes(), 1.0)
        else:
            BLOBS[f"{name}/"] = (b"", 1.0)


def stored(prefix):
    """Relative path -> bytes of all below a prefix."""
    return {
        path.removeprefix(prefix + "/"): data
        for path, (data, _) in BLOBS.items()
        if path.startswith(prefix + "/")
    }
