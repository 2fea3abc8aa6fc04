"""Input and output on HDFS, which has folders of its own and lists them one at a time."""

import pytest

from preprocessing.__main__ import main
from preprocessing.inspection.verify import verify_dataset
from preprocessing.storage.beam_files import BeamFiles
from tests.preprocessing.conversions import tree
from tests.preprocessing.drawn_images import (
    write_archives,
    write_class_folders,
    write_extracted,
    write_files,
)
from tests.preprocessing.hadoop import OPTIONS, Client, HdfsError, install


@pytest.fixture
def hadoop(tmp_path, monkeypatch):
    """The folder that hdfs:// is."""
    root = tmp_path / "hdfs"
    root.mkdir()
    install(root, monkeypatch)
    return root


def convert(source, given, output, *more):
    arguments = ["convert", "--source", source, "--input", str(given), "--output", str(output)]
    options = ["--image-size", "16", "--direct_running_mode", "in_memory", *OPTIONS]
    return main([*arguments, *options, *more])


@pytest.mark.parametrize(
    ("source", "write"),
    [
        ("ilsvrc2012", write_archives),
        ("ilsvrc2012", write_extracted),
        ("folder", write_class_folders),
    ],
)
def test_conversions_on_hdfs_and_on_a_disk_give_the_same_bytes(hadoop, tmp_path, source, write):
    write(hadoop / "in")
    write(tmp_path / "in")
    if source == "folder":
        for place in (hadoop, tmp_path):
            write_files(place / "in" / "class1" / "deeper", {"1.jpg": b"", "Thumbs.db": b""})
    options = ("--max-rejects", "0.1")
    assert convert(source, "hdfs://in", "hdfs://out", *options) == 0
    assert convert(source, tmp_path / "in", tmp_path / "out", *options) == 0
    made, expected = tree(hadoop / "out"), tree(tmp_path / "out")
    rejects = "rejects.jsonl", "dataset_info.json"  # where they lie is in the first
    told = [files.pop(name) for files in (made, expected) for name in rejects]
    assert made == expected
    assert told[0].replace(b"hdfs://in", str(tmp_path / "in").encode()) == told[2]
    assert verify_dataset("hdfs://out", lambda path: BeamFiles(), workers=0) == []
    assert convert(source, "hdfs://in", "hdfs://out", *options) == 2
    assert convert(source, "hdfs://in", "hdfs://out", "--overwrite", *options) == 0


def test_an_interrupted_conversion_goes_on(hadoop, monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    write_archives(hadoop / "in")
    with monkeypatch.context() as patch:
        patch.setattr("preprocessing.job.convert.publish", interrupt)
        assert convert("ilsvrc2012", "hdfs://in", "hdfs://out") == 130
    assert convert("ilsvrc2012", "hdfs://in", "hdfs://out") == 0
    assert "shards kept 2" in capsys.readouterr().out


@pytest.mark.parametrize("remember", [True, False])
def test_what_is_a_folder_and_what_a_file(hadoop, remember):
    write_files(hadoop / "in" / "cat", {"empty": b"", "one": b"1"})
    (hadoop / "in" / "bare").mkdir()
    files = BeamFiles(remember)
    assert [(e.name, e.size) for e in files.walk("hdfs://in")] == [("cat/empty", 0), ("cat/one", 1)]
    assert files.names("hdfs://in/cat") == ["empty", "one"]
    kinds = [(files.is_folder(p), files.is_file(p)) for p in ("hdfs://in/cat", "hdfs://in/cat/one")]
    assert kinds == [(True, False), (False, True)]
    assert files.is_file("hdfs://in/cat/empty")
    assert not files.is_folder("hdfs://in/cat/empty")
    assert not files.is_folder("hdfs://in/none")
    assert files.names("hdfs://in/none") == []


def test_a_folder_that_cannot_be_listed_is_no_empty_one(hadoop, monkeypatch):
    write_class_folders(hadoop / "in")
    listing = Client.list

    def failing(self, path, status=False):
        if path.endswith("class1"):
            raise HdfsError("the name node is in safe mode")
        return listing(self, path, status)

    monkeypatch.setattr(Client, "list", failing)
    with pytest.raises(OSError, match="safe mode"):
        list(BeamFiles(remember=True).walk("hdfs://in"))
