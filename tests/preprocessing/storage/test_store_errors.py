"""A store that refuses, or breaks off: one line and exit code 1, wherever in a conversion."""

import gzip
import io

import pytest
from apache_beam.io.aws.clients.s3.messages import S3ClientError

from preprocessing.__main__ import main
from preprocessing.storage.beam_files import BeamFiles
from preprocessing.storage.store_errors import store_errors
from preprocessing.storage.tar import list_tar_gz
from tests.preprocessing import object_store
from tests.preprocessing.drawn_images import devkit_bytes, write_archives, write_class_folders
from tests.preprocessing.object_store import BLOBS, BlobFileSystem, upload

FORBIDDEN = S3ClientError("An error occurred (403):\n Forbidden", 403)


@pytest.fixture(autouse=True)
def _empty_store():
    BLOBS.clear()


def convert(given, output):
    places = ["--input", str(given), "--output", str(output)]
    options = ["--image-size", "16", "--direct_running_mode", "in_memory"]
    return main(["convert", "--source", "folder", *places, *options])


class BreaksOff(io.BytesIO):
    def read(self, size=-1):
        raise FORBIDDEN


def refused_opening(patch, part):
    opened = BlobFileSystem.open

    def refusing(self, path, *more, **options):
        if part in path:
            raise FORBIDDEN
        return opened(self, path, *more, **options)

    patch.setattr(BlobFileSystem, "open", refusing)


def refused_reading(patch, part):
    opened = BlobFileSystem.open

    def refusing(self, path, *more, **options):
        return BreaksOff() if part in path else opened(self, path, *more, **options)

    patch.setattr(BlobFileSystem, "open", refusing)


def refused_call(name):
    def refuse(patch, part):
        called = getattr(object_store.Client, name)

        def refusing(self, request):
            if part in self.path:
                raise FORBIDDEN
            return called(self, request)

        patch.setattr(object_store.Client, name, refusing)

    return refuse


@pytest.mark.parametrize(
    ("refuse", "part"),
    [
        (refused_opening, "class1/3.jpg"),
        (refused_reading, "class1/3.jpg"),
        (refused_opening, "job.json"),
        (refused_reading, "plan.bin"),
        (refused_call("create_multipart_upload"), "job.json"),
        (refused_call("upload_part"), "plan.bin"),
        (refused_call("upload_part"), "shards/train-0"),
        (refused_call("complete_multipart_upload"), "shards/train-0"),
        (refused_call("upload_part"), "out/rejects.jsonl"),
        (refused_call("complete_multipart_upload"), "out/mean_image.npy"),
    ],
)
def test_a_store_that_refuses_is_told_in_one_line(
    tmp_path, monkeypatch, capsys, caplog, refuse, part
):
    write_class_folders(tmp_path / "in")
    upload(tmp_path / "in", "blob://store/in")
    with monkeypatch.context() as patch:
        refuse(patch, part)
        assert convert("blob://store/in", "blob://store/out") == 1
    error = capsys.readouterr().err
    assert part in error
    assert "An error occurred (403): Forbidden" in error
    assert error.count("\n") == 1
    assert [record for record in caplog.records if record.name == "root"] == []
    assert "blob://store/out/dataset_info.json" not in BLOBS
    assert convert("blob://store/in", "blob://store/out") == 0
    assert not [path for path in BLOBS if ".conversion" in path or path.endswith(".part")]


def test_a_holder_that_cannot_be_asked_is_believed(tmp_path, monkeypatch, capsys):
    write_class_folders(tmp_path / "in")
    BLOBS["blob://store/out/.conversion/locks/0.json"] = (b"{}", 1.0)
    refused_reading(monkeypatch, "locks/0.json")
    assert convert(tmp_path / "in", "blob://store/out") == 1
    assert "Forbidden" in capsys.readouterr().err


@pytest.mark.parametrize("error", [OSError("disk"), TypeError("a fault"), KeyboardInterrupt()])
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as told, store_errors("blob://store/x"):
        raise error
    assert told.value is error


def test_archives_are_read_through_it(tmp_path):
    write_archives(tmp_path)
    kit = tmp_path / "ILSVRC2012_devkit_t12.tar.gz"
    assert gzip.decompress(kit.read_bytes())
    BLOBS["blob://store/kit"] = (devkit_bytes(b"meta", b"truth"), 1.0)
    with BeamFiles().open("blob://store/kit") as file:
        found = {m.name: b"".join(d) for m, d in list_tar_gz(file, "kit", 1 << 20)}
    assert set(found.values()) == {b"meta", b"truth"}
