"""The CIFAR-10 binary archive, in miniature: labels, planes, 32 x 32 kept."""

import gzip
import io
import tarfile

import numpy as np
import pytest

from preprocessing.__main__ import main
from preprocessing.dataset.example import decode_example
from preprocessing.dataset.info import read_info
from preprocessing.dataset.tfrecord import read_records
from preprocessing.errors import DatasetError
from preprocessing.sources.cifar10 import BATCHES, list_cifar10
from preprocessing.storage.files import LocalFiles
from tests.preprocessing.drawn_images import write_files

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
META = ("\n".join(NAMES) + "\n\n").encode()


def batches(records=3):
    """(file contents, images): name -> bytes, record name -> (label, uint8 [32, 32, 3])."""
    rng = np.random.default_rng(1)
    contents, images = {"batches.meta.txt": META}, {}
    for batch in BATCHES:
        data = b""
        for index in range(records):
            label, pixels = rng.integers(10), rng.integers(0, 256, (32, 32, 3), np.uint8)
            data += bytes([label]) + pixels.transpose(2, 0, 1).tobytes()
            images[f"{batch[:-4]}_{index:05d}"] = (label, pixels)
        contents[batch] = data
    return contents, images


def pack(contents):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in contents.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def listed(path, tmp_path):
    files, scratch = LocalFiles(), str(tmp_path / "scratch")
    return list_cifar10(files, str(path), files, scratch, lambda count: None)


@pytest.mark.parametrize("layout", ["archive", "folder of the archive", "batches", "extracted"])
def test_every_layout_gives_the_pixels_themselves(tmp_path, layout):
    contents, images = batches()
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder
    if "archive" in layout:
        (folder / "cifar-10-binary.tar.gz").write_bytes(pack(contents))
        if layout == "archive":
            path = folder / "cifar-10-binary.tar.gz"
    else:
        write_files(folder / "cifar-10-batches-bin", contents)
        if layout == "batches":
            path = folder / "cifar-10-batches-bin"
    output = tmp_path / "out"
    arguments = ["convert", "--source", "cifar10", "--input", str(path), "--output", str(output)]
    assert main([*arguments, "--direct_running_mode", "in_memory"]) == 0
    info = read_info(output)
    assert info.image_size == 32
    assert [name.text for name in info.classes] == NAMES
    assert (info.num_examples("train"), info.num_examples("validation")) == (15, 3)
    for split, prefix in (("train", "data_batch"), ("validation", "test_batch")):
        for shard in info.shard_paths(output, split):
            with open(shard, "rb") as file:
                for record in map(decode_example, read_records(file)):
                    label, pixels = images.pop(record.filename)
                    assert record.filename.startswith(prefix)
                    assert (record.label, record.synset) == (label, NAMES[label])
                    assert record.encoded == pixels.tobytes()
    assert images == {}
    assert not (output / ".conversion").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_batch_3.bin": None}, r"no data_batch_3\.bin"),
        ({"batches.meta.txt": None}, r"no batches\.meta\.txt"),
        ({"data_batch_2.bin": bytes(3072)}, "expected records of 3073 bytes"),
        ({"data_batch_2.bin": b""}, "expected records of 3073 bytes"),
        ({"test_batch.bin": b"\x0a" + bytes(3072)}, "labels up to 10"),
        ({"batches.meta.txt": b"zebra\nape\n"}, "expected sorted class names"),
    ],
)
def test_other_contents_are_refused(tmp_path, change, message):
    contents = {k: v for k, v in {**batches()[0], **change}.items() if v is not None}
    (tmp_path / "a.tar.gz").write_bytes(pack(contents))
    with pytest.raises(DatasetError, match=message):
        listed(tmp_path / "a.tar.gz", tmp_path)


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", gzip.compress(b"x" * 2000), pack({})[:-9]],
    ids=["empty", "text", "no tar", "cut"],  # else the bytes, which hold the time of compression
)
def test_damaged_archives_are_refused(tmp_path, data):
    (tmp_path / "a.tar.gz").write_bytes(data)
    with pytest.raises(DatasetError, match=r"expected cifar-10-binary\.tar\.gz"):
        listed(tmp_path / "a.tar.gz", tmp_path)


def test_a_truncated_archive_is_refused(tmp_path):
    data = pack(batches(records=20)[0])
    (tmp_path / "a.tar.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(DatasetError, match=r"expected cifar-10-binary\.tar\.gz"):
        listed(tmp_path / "a.tar.gz", tmp_path)


def test_nothing_there(tmp_path):
    with pytest.raises(DatasetError, match="found neither"):
        listed(tmp_path, tmp_path)
