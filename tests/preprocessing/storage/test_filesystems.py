"""Input and output on a filesystem of Beam's, which stands in for gs://, s3:// and hdfs://."""

import io

import pytest

from preprocessing.__main__ import main
from preprocessing.dataset.example import decode_example
from preprocessing.dataset.info import read_info
from preprocessing.dataset.tfrecord import read_records
from preprocessing.errors import DatasetError
from preprocessing.images.convert import decode_and_resize
from preprocessing.inspection.verify import verify_dataset
from preprocessing.sources.listing import Container, ImageRef
from preprocessing.sources.reader import ImageReader
from preprocessing.storage.beam_files import BeamFiles
from tests.preprocessing.conversions import SMALL
from tests.preprocessing.drawn_images import (
    image,
    write_archives,
    write_class_folders,
    write_extracted,
)
from tests.preprocessing.object_store import BLOBS, stored, upload


@pytest.fixture(autouse=True)
def _empty_store():
    BLOBS.clear()


def convert(source, given, output, *more):
    arguments = ["convert", "--source", source, "--input", str(given), "--output", str(output)]
    options = ["--image-size", "16", "--direct_running_mode", "in_memory"]
    return main([*arguments, *options, *more])


class _Ranges(io.RawIOBase):
    """Like what is beneath Beam's readers of s3:// and hdfs://: a request for each read."""

    def __init__(self, data, requests):
        self._file = io.BytesIO(data)
        self._requests = requests

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=0):
        return self._file.seek(offset, whence)

    def readinto(self, buffer):
        count = self._file.readinto(memoryview(buffer)[: 1 << 16])  # and at most 64 KB an answer
        self._requests.append(count)
        return count


def test_images_of_a_remote_archive_are_fetched_without_their_neighbors(monkeypatch):
    requests = []
    data = bytes(range(256)) * 4096  # 1 MB
    monkeypatch.setattr(
        "preprocessing.storage.beam_files.FileSystems.open",
        lambda path, **_: io.BufferedReader(_Ranges(data, requests), 16 << 20),
    )
    archive = (Container("archive", "blob://store/archive"),)
    with ImageReader(lambda path: BeamFiles(), archive) as reader:
        for offset, size in ((500_000, 1000), (10, 200_000), (1 << 19, 1)):
            got = reader.read(ImageRef(0, "image", offset, size, 0))
            assert got == data[offset : offset + size]
        assert sum(requests) == 1000 + 200_000 + 1
        with pytest.raises(DatasetError, match="input changed"):
            reader.read(ImageRef(0, "image", len(data) - 10, 11, 0))


def records(directory):
    info = read_info(directory)
    for path in (path for split in info.splits for path in info.shard_paths(directory, split)):
        with open(path, "rb") as file:
            yield from map(decode_example, read_records(file))


def local(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("source", "write"),
    [
        ("ilsvrc2012", write_archives),
        ("ilsvrc2012", write_extracted),
        ("folder", write_class_folders),
    ],
)
def test_remote_and_local_conversions_give_the_same_bytes(tmp_path, source, write):
    write(tmp_path / "in")
    upload(tmp_path / "in", "blob://store/in")
    assert convert(source, "blob://store/in", "blob://store/out") == 0
    assert convert(source, tmp_path / "in", "blob://store/mixed") == 0
    assert convert(source, tmp_path / "in", tmp_path / "out") == 0
    expected = local(tmp_path / "out")
    assert stored("blob://store/out") == expected
    assert stored("blob://store/mixed") == expected
    assert verify_dataset("blob://store/out", lambda path: BeamFiles(), workers=0) == []


def test_a_remote_dataset_is_refused_or_replaced(tmp_path, capsys):
    write_archives(tmp_path / "in")
    assert convert("ilsvrc2012", tmp_path / "in", "blob://store/out", "--shards", "train=5") == 0
    before = stored("blob://store/out")
    assert convert("ilsvrc2012", tmp_path / "in", "blob://store/out") == 2
    assert "already holds a dataset" in capsys.readouterr().err
    assert stored("blob://store/out") == before
    assert convert("ilsvrc2012", tmp_path / "in", "blob://store/out", "--overwrite") == 0
    assert convert("ilsvrc2012", tmp_path / "in", tmp_path / "out") == 0
    assert stored("blob://store/out") == local(tmp_path / "out")


def test_an_interrupted_remote_conversion_goes_on(tmp_path, monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    write_archives(tmp_path / "in")
    with monkeypatch.context() as patch:
        patch.setattr("preprocessing.job.convert.publish", interrupt)
        assert convert("ilsvrc2012", tmp_path / "in", "blob://store/out") == 130
    assert convert("ilsvrc2012", tmp_path / "in", "blob://store/out") == 0
    assert "shards kept 2" in capsys.readouterr().out
    assert not [path for path in BLOBS if ".conversion" in path or path.endswith(".part")]


def test_nothing_is_left_of_a_file_that_failed():
    def fail():
        with BeamFiles().create("blob://store/file") as file:
            file.write(b"half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert BLOBS == {}


@pytest.mark.parametrize("size", [0, 1, 128 << 10, (10 << 20) + 1])
def test_a_file_of_any_size_is_written(size):
    """S3 refuses an upload without parts."""
    data = bytes(size)
    with BeamFiles().create("blob://store/file") as file:
        for begin in range(0, size, 1 << 20):
            file.write(data[begin : begin + (1 << 20)])
    assert stored("blob://store") == {"file": data}


def test_a_missing_remote_input(capsys):
    assert convert("ilsvrc2012", "blob://store/none", "blob://store/out") == 2
    assert "blob://store/none" in capsys.readouterr().err
    assert BLOBS == {}


# --- keys that are no paths -----------------------------------------------------------------------


def test_a_key_of_two_slashes_leads_to_its_object_and_to_no_local_file(tmp_path):
    write_class_folders(tmp_path / "in")
    write_class_folders(tmp_path / "secret", classes=1)
    upload(tmp_path / "in", "blob://store/in")
    secret = f"{tmp_path}/secret/class0/0.jpg"
    BLOBS[f"blob://store/in/class0/{secret}"] = (image(77), 1.0)
    assert convert("folder", "blob://store/in", tmp_path / "out", "--encoding", "raw") == 0
    (record,) = (r for r in records(tmp_path / "out") if r.filename == secret)
    assert record.encoded == decode_and_resize(image(77), SMALL).tobytes()


def test_a_class_without_a_name_is_refused(tmp_path, capsys):
    write_class_folders(tmp_path / "in")
    upload(tmp_path / "in", "blob://store/in")
    BLOBS["blob://store/in//cat/0.jpg"] = (image(1), 1.0)
    assert convert("folder", "blob://store/in", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "expected names below 'blob://store/in', found '//' in a key" in error
    assert error.count("\n") == 1


# --- characters that Beam's patterns are made of --------------------------------------------------


@pytest.mark.parametrize("name", ["out[1]", "out*", "out?", "o*t/deeper"])
@pytest.mark.parametrize("option", ["--input", "--output", "verify", "inspect"])
def test_a_remote_path_that_would_be_a_pattern_touches_nothing(tmp_path, capsys, name, option):
    write_class_folders(tmp_path / "in")
    upload(tmp_path / "in", "blob://store/in")
    assert convert("folder", "blob://store/in", "blob://store/out1") == 0
    before = dict(BLOBS)
    path = f"blob://store/{name}"
    capsys.readouterr()
    if option in ("verify", "inspect"):
        assert main([option, path]) == 2
    else:
        places = {"--input": "blob://store/in", "--output": "blob://store/new", option: path}
        assert convert("folder", places["--input"], places["--output"], "--overwrite") == 2
    error = capsys.readouterr().err
    assert "expected a remote path without any of * ? [ as" in error
    assert repr(path) in error
    assert error.count("\n") == 1
    assert before == BLOBS


def test_local_paths_have_any_character(tmp_path, capsys):
    source, output = tmp_path / "i[n]*?", tmp_path / "o[ut]*?"
    write_class_folders(source)
    write_class_folders(tmp_path / "plain")
    assert convert("folder", source, output) == 0
    assert convert("folder", source, output, "--overwrite") == 0
    assert convert("folder", tmp_path / "plain", tmp_path / "out") == 0
    assert local(output) == local(tmp_path / "out")
    assert main(["verify", str(output), "--workers", "1"]) == 0
    assert main(["inspect", str(output), "--images", str(output / "[*].png")]) == 0
    assert (output / "[*].png").exists()
