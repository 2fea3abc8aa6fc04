"""An object store in memory, as a filesystem of Beam's: it stands in for gs://, s3://, hdfs://.

It is written by Beam's own uploader for S3.
"""

import io
import posixpath
import time

from apache_beam.io.aws.clients.s3 import messages
from apache_beam.io.aws.s3io import S3Uploader
from apache_beam.io.filesystem import (
    BeamIOError,
    CompressedFile,
    CompressionTypes,
    FileMetadata,
    FileSystem,
)
from apache_beam.io.filesystemio import UploaderStream

BLOBS: dict[str, tuple[bytes, float]] = {}  # path -> bytes, time of change


class Client:
    """Takes uploads as S3 does: in parts, at least one, and the object is there at the end."""

    def __init__(self, path):
        self.path = path
        self.parts = []

    def create_multipart_upload(self, request):
        return messages.UploadResponse("id")

    def upload_part(self, request):
        self.parts.append(request.bytes)
        return messages.UploadPartResponse("tag", request.part_number)

    def complete_multipart_upload(self, request):
        if not request.parts:
            raise messages.S3ClientError("MalformedXML: it was not well-formed", 400)
        BLOBS[self.path] = (b"".join(self.parts), time.time())


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
        uploader = S3Uploader(Client(path), path.replace("blob://", "s3://"))
        return io.BufferedWriter(UploaderStream(uploader), 128 << 10)

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
