"""HDFS on a folder of the disk: Beam's own filesystem for it, on what answers as `hdfs.Client`."""

import types

from apache_beam.io import hadoopfilesystem
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

OPTIONS = ["--hdfs_host=host", "--hdfs_port=9870", "--hdfs_user=user"]


class HdfsError(Exception):
    """Like its namesake, no OSError."""


class Client:
    def __init__(self, root):
        self._root = root

    def _at(self, path):
        return self._root / path.strip("/")

    def status(self, path, strict=True):
        at = self._at(path)
        if not at.exists():
            if strict:
                raise HdfsError(f"File {path} does not exist.")
            return None
        size, kind = (0, "DIRECTORY") if at.is_dir() else (at.stat().st_size, "FILE")
        return {"length": size, "modificationTime": at.stat().st_mtime_ns // 10**6, "type": kind}

    def list(self, path, status=False):
        if self.status(path)["type"] == "FILE":
            raise HdfsError(f"{path!r} is not a directory.")
        names = sorted(entry.name for entry in self._at(path).iterdir())
        return [(name, self.status(f"{path}/{name}")) for name in names]

    def makedirs(self, path):
        self._at(path).mkdir(parents=True)

    def delete(self, path, recursive=False):
        at = self._at(path)
        if at.is_dir():
            for entry in list(at.iterdir()):
                self.delete(f"{path}/{entry.name}")
            at.rmdir()
        else:
            at.unlink(missing_ok=True)

    def rename(self, source, target):
        if self._at(target).is_file():
            raise HdfsError(f"{target} exists")
        self._at(source).rename(self._at(target))

    def read(self, path, offset, length):
        file = self._at(path).open("rb")
        file.seek(offset)
        return _First(file, length)

    def write(self, path):
        self._at(path).parent.mkdir(parents=True, exist_ok=True)
        return self._at(path).open("xb")


class _First:
    """The next bytes of a file, as the client reads no more than it is asked for."""

    def __init__(self, file, length):
        self._file, self._length = file, length

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._file.close()

    def read(self):
        return self._file.read(self._length)


def install(root, monkeypatch):
    """hdfs:// is then the folder `root`, and the library that Beam needs for it is installed."""
    library = types.SimpleNamespace(
        HdfsError=HdfsError, InsecureClient=lambda *_, **__: Client(root)
    )
    monkeypatch.setattr(hadoopfilesystem, "hdfs", library)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr(FileSystems, "_pipeline_options", PipelineOptions(OPTIONS))
