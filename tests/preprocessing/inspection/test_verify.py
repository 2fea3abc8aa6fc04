"""verify finds every damage and names the shard; inspect describes."""

import dataclasses
import io
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from preprocessing.__main__ import main
from preprocessing.dataset.example import Record, decode_example, encode_example
from preprocessing.dataset.info import ClassName, Shard, StoredFile, read_info, write_info
from preprocessing.dataset.mean_image import encode_mean_image
from preprocessing.dataset.names import MEAN_FILE, MEAN_IMAGE, REJECTS_FILE
from preprocessing.dataset.tfrecord import frame, read_records
from preprocessing.errors import DatasetError
from preprocessing.images.convert import ImageOptions
from preprocessing.inspection.contact_sheet import draw_contact_sheet
from preprocessing.inspection.describe import describe, first_images
from preprocessing.inspection.records import check_record
from preprocessing.inspection.verify import load_info, verify_dataset
from preprocessing.job.convert import convert
from preprocessing.job.request import Conversion
from preprocessing.job.runners import beam_options
from preprocessing.storage.checksum import file_checksum
from preprocessing.storage.files import LocalFiles
from tests.deadlines import SECONDS, wait_until
from tests.preprocessing.dataset.test_info import INFO
from tests.preprocessing.drawn_images import image, write_archives
from tests.preprocessing.inspection.awkward_files import FIRST, dying_files, refusing_files

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", params=["jpeg", "raw"])
def dataset(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    asked = Conversion(
        "ilsvrc2012",
        str(write_archives(folder / "in")),
        str(folder / "out"),
        ImageOptions(size=16, encoding=request.param),
        shards={"train": 2, "validation": 1},
    )
    convert(asked, beam_options(["--direct_running_mode=in_memory"]))
    return folder / "out"


@pytest.fixture
def copy(dataset, tmp_path):
    return shutil.copytree(dataset, tmp_path / "copy")


def verify(folder):
    return verify_dataset(str(folder), workers=0)


def rewrite(folder, change):
    """Rewrites the first shard with changed records and honest checksums."""
    with open(folder / FIRST, "rb") as file:
        records = [decode_example(data) for data in read_records(file)]
    replace(folder, b"".join(frame(encode_example(record)) for record in change(records)))


def replace(folder, data, examples=None):
    (folder / FIRST).write_bytes(data)
    info = read_info(folder)
    first, second = info.splits["train"]
    checksum = file_checksum(LocalFiles(), str(folder / FIRST))
    shard = Shard(FIRST, examples or first.examples, len(data), checksum)
    write_info(folder, dataclasses.replace(info, splits={**info.splits, "train": (shard, second)}))


def test_a_sound_dataset(dataset):
    assert verify(dataset) == []


@pytest.mark.parametrize("position", [0, 9, 20, 300, -1])
def test_a_changed_byte(copy, position):
    data = bytearray((copy / FIRST).read_bytes())
    data[position] ^= 0x40
    (copy / FIRST).write_bytes(data)
    problems = verify(copy)
    assert problems
    assert all(problem.startswith(f"{FIRST}: ") for problem in problems)


def test_a_truncated_shard(copy):
    data = (copy / FIRST).read_bytes()
    (copy / FIRST).write_bytes(data[:-10])
    problems = verify(copy)
    assert any(f"{len(data) - 10} bytes, expected {len(data)}" in line for line in problems)
    assert any("ends inside the record" in line for line in problems)
    assert any("5 readable records, expected 6" in line for line in problems)


def test_a_missing_shard(copy):
    (copy / FIRST).unlink()
    assert verify(copy) == [f"{FIRST}: the file is missing"]


def test_a_shard_that_belongs_to_nothing(copy):
    shutil.copy(copy / FIRST, copy / "train-00000-of-00007")
    assert verify(copy) == ["train-00000-of-00007: not listed in dataset_info.json"]


def flipped(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def zeroed(path):
    path.write_bytes(bytes(path.stat().st_size))


def shortened(path):
    path.write_bytes(path.read_bytes()[:-1])


def removed(path):
    path.unlink()


@pytest.mark.parametrize("name", [MEAN_FILE, MEAN_IMAGE, REJECTS_FILE])
@pytest.mark.parametrize("damage", [flipped, zeroed, shortened, removed])
def test_the_files_beside_the_shards(copy, name, damage):
    reject = copy / REJECTS_FILE
    reject.write_bytes(b"{}\n")  # none of the images was rejected
    info = read_info(copy)
    files = {**info.files, REJECTS_FILE: StoredFile.of(reject.read_bytes())}
    write_info(copy, dataclasses.replace(info, files=files))
    assert verify(copy) == []
    damage(copy / name)
    (problem,) = verify(copy)
    assert re.match(f"{name}: (the file|[0-9]+ bytes, expected)", problem)


def test_a_mean_image_of_other_images_although_its_checksum_is_right(copy):
    mean = encode_mean_image(np.full((16, 16, 3), 300.0))
    (copy / MEAN_FILE).write_bytes(mean)
    info = read_info(copy)
    files = {**info.files, MEAN_FILE: StoredFile.of(mean)}
    write_info(copy, dataclasses.replace(info, files=files))
    assert verify(copy) == [f"{MEAN_FILE}: expected values of 0..255, received others"]


def test_swapped_shards(copy):
    second = copy / "train-00001-of-00002"
    (copy / FIRST).rename(copy / "aside")
    second.rename(copy / FIRST)
    (copy / "aside").rename(second)
    problems = verify(copy)
    assert {problem.split(":")[0] for problem in problems} == {FIRST, second.name}


def test_wrong_counts_of_classes(copy):
    info = read_info(copy)
    counts = {**info.class_counts, "train": (3, 5, 4)}
    write_info(copy, dataclasses.replace(info, class_counts=counts))
    assert verify(copy) == [
        "dataset_info.json: 3 train images of class n90000010, the shards hold 4",
        "dataset_info.json: 5 train images of class n90000020, the shards hold 4",
    ]


def test_a_dataset_of_format_version_1(copy):
    write_info(
        copy, dataclasses.replace(read_info(copy), files={}, class_counts={}, format_version=1)
    )
    assert verify(copy) == []
    zeros = encode_mean_image(np.zeros((16, 16, 3)))
    (copy / MEAN_FILE).write_bytes(zeros)
    (problem,) = verify(copy)
    assert problem.startswith(f"{MEAN_FILE}: expected the mean RGB")
    (copy / MEAN_FILE).unlink()
    assert verify(copy) == [f"{MEAN_FILE}: the file is missing"]


def test_a_wrong_count(copy):
    rewrite(copy, lambda records: records[:-1])
    assert verify(copy) == [f"{FIRST}: 5 readable records, expected 6"]


def _first(**values):
    return lambda records: [dataclasses.replace(records[0], **values), *records[1:]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_first(label=3), "expected a label from 0 to 2, received 3"),
        (_first(label=-1), "expected a label from 0 to 2, received -1"),
        (_first(synset="n00000000"), "expected class"),
        (_first(text="dog"), "expected class"),
        (_first(format="png"), "received png"),
        (_first(height=15), "received"),
        (_first(encoded=b""), "expected|does not decode"),
        (_first(encoded=image(1, (8, 8))), "received|bytes"),
        (_first(encoded=image(1, (16, 16), "PNG")), "does not decode|bytes"),
        (_first(encoded=image(1, (16, 16))[:-200]), "does not decode|bytes"),
    ],
)
def test_records_that_do_not_fit_although_checksums_do(copy, change, message):
    rewrite(copy, change)
    (problem,) = verify(copy)
    assert problem.startswith(f"{FIRST}: record 1: ")
    assert re.search(message, problem)


def test_a_record_that_is_no_example(copy):
    replace(copy, frame(b"something") * 6)
    assert "record 1: expected a tf.train.Example" in verify(copy)[0]


def test_unlabelled_test_records_are_sound():
    info = dataclasses.replace(INFO, encoding="raw")
    record = Record(bytes(48), "raw", 4, 4, -1, "", "", "x")
    check_record(record, info, labelled=False)
    with pytest.raises(ValueError, match="label from 0"):
        check_record(record, info, labelled=True)


def test_no_dataset(tmp_path):
    with pytest.raises(DatasetError, match="not a complete dataset"):
        verify(tmp_path)


@pytest.mark.parametrize("read", [read_info, load_info])
def test_an_info_that_is_too_large_is_not_read(tmp_path, monkeypatch, read):
    monkeypatch.setattr("preprocessing.dataset.info._MAX_INFO_BYTES", 1000)
    path = tmp_path / "dataset_info.json"
    path.write_bytes(b" " * 1001)
    with pytest.raises(DatasetError, match=f"expected {path} of at most 1000 bytes, received 1001"):
        read(str(tmp_path))


def test_several_processes_find_the_same(copy):
    (copy / FIRST).unlink()
    assert verify_dataset(str(copy), workers=2) == verify(copy)


@pytest.mark.parametrize(
    ("files_for", "line"),
    [
        (refusing_files, "Input/output error"),
        (dying_files, "a worker process died; was there enough memory? Fewer --workers need less"),
    ],
)
def test_a_shard_that_fails_ends_verify_at_once_in_one_line(
    copy, monkeypatch, capfd, files_for, line
):
    monkeypatch.setattr("preprocessing.verbs.verify.files_for", files_for)
    assert main(["verify", str(copy), "--workers", "2"]) == 1
    assert capfd.readouterr().err == f"preprocessing verify: {line}\n"
    assert multiprocessing.active_children() == []


VERIFY = """
import sys
from preprocessing.__main__ import main
from preprocessing.verbs import verify
from tests.preprocessing.inspection.awkward_files import slow_files
if __name__ == "__main__":
    verify.files_for = slow_files
    sys.exit(main(["verify", sys.argv[1], "--workers", "1"]))
"""


def test_ctrl_c_ends_verify_in_the_midst_of_a_shard(dataset, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "copy")
    job = subprocess.Popen(
        [sys.executable, "-c", VERIFY, str(copy)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a process group of its own, as on a terminal
    )
    wait_until(lambda: len(list(copy.glob("in-*"))) == 2, job)  # itself and its worker
    os.killpg(job.pid, signal.SIGINT)
    error = job.communicate(timeout=SECONDS)[1]
    assert (job.returncode, error) == (130, "interrupted\n")


@pytest.mark.parametrize("position", [0, 20, 60, 200, -20])
def test_a_damaged_shard_ends_inspect_in_one_line(copy, position, capsys):
    data = bytearray((copy / FIRST).read_bytes())
    data[position] ^= 0x40
    (copy / FIRST).write_bytes(data)
    assert main(["inspect", str(copy), "--images", str(copy / "sheet.png")]) == 2
    error = capsys.readouterr().err
    assert "cannot read the images" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("encoded", [b"", b"\xff\xd8\xff", image(1, (90, 90)), b"P6 9 9 255\n"])
def test_an_undecodable_record_ends_inspect_in_one_line(copy, encoded, capsys):
    rewrite(copy, _first(encoded=encoded))
    assert main(["inspect", str(copy), "--images", str(copy / "sheet.png")]) == 2
    error = capsys.readouterr().err
    assert "cannot read the images" in error
    assert error.count("\n") == 1
    assert not (copy / "sheet.png").exists()


@pytest.mark.parametrize("verb", ["inspect", "verify"])
@pytest.mark.parametrize("splits", [{}, {"train": []}, {"validation": []}, {"train": 1}, []])
def test_splits_that_are_missing_in_the_info(copy, verb, splits, capsys):
    path = copy / "dataset_info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "splits": splits}))
    assert main([verb, str(copy)]) == 2
    error = capsys.readouterr().err
    assert "is damaged" in error
    assert error.count("\n") == 1


def test_no_name_reaches_the_terminal_raw(copy, capsys):
    """Class names come from folders, and folders from anybody."""
    info = read_info(copy)
    evil = "\x1b[2J\x1b]0;title\x07\nsecond line\r\x9b1A\u202eabc"
    classes = tuple(ClassName(f"{evil}{n}", evil) for n in range(len(info.classes)))
    write_info(copy, dataclasses.replace(info, classes=classes[:-1] + info.classes[-1:]))
    lines = describe(info).count("\n")
    for verb, code in (("inspect", 0), ("verify", 1)):
        assert main([verb, str(copy)]) == code
        output, error = capsys.readouterr()
        assert all(c.isprintable() or c == "\n" for c in output + error.split("\r")[-1])
        if verb == "inspect":
            assert output.count("\n") == lines + 1
            assert "\\x1b[2J" in output


# --- the verbs ----------------------------------------------------------------------------------


def test_verify_exits_0_for_a_sound_dataset(dataset, capsys):
    assert main(["verify", str(dataset), "--workers", "1"]) == 0
    assert "is sound: train 12, validation 6" in capsys.readouterr().out


def test_verify_exits_1_for_damage_and_names_the_shard(copy, capsys):
    (copy / FIRST).unlink()
    assert main(["verify", str(copy), "--workers", "1"]) == 1
    assert f"{FIRST}: the file is missing" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["verify", "inspect"])
def test_exit_2_for_no_dataset(tmp_path, verb, capsys):
    assert main([verb, str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_inspect_draws_the_first_images(dataset, tmp_path, capsys):
    info = read_info(dataset)
    images, names = first_images(str(dataset), info, LocalFiles(), 5)
    with open(dataset / FIRST, "rb") as file:
        records = [decode_example(data) for data in read_records(file)][:5]
    assert names == [record.text for record in records]
    for pixels, record in zip(images, records, strict=True):
        if record.format == "raw":
            assert pixels.tobytes() == record.encoded
        else:
            again = np.asarray(Image.open(io.BytesIO(record.encoded)))
            np.testing.assert_array_equal(pixels, again)
    path = tmp_path / "sheet.png"
    assert main(["inspect", str(dataset), "--pictures", str(path), "--count", "5"]) == 0
    assert path.read_bytes() == draw_contact_sheet(images, names)
    assert "wrote 5 images" in capsys.readouterr().out
    assert main(["inspect", str(dataset), "--pictures", str(path), "--count", "0"]) == 2


def test_inspect(dataset, capsys):
    assert main(["inspect", str(dataset)]) == 0
    text = capsys.readouterr().out
    assert text.strip() == describe(read_info(dataset))
    assert "train         12 examples in 2 shards" in text
    assert re.search(r"\n      2  n90000030  lemon +train 4, validation 2\n", text)
    assert "\ntrain         4 images a class\n" in text
    counts = {"train": (4, 7, 1), "validation": (2, 2, 2)}
    text = describe(dataclasses.replace(read_info(dataset), class_counts=counts))
    fewest, most = "1 (n90000030  lemon)", "7 (n90000020  crane, machine)"
    assert f"\ntrain         {fewest} to {most} images a class\n" in text
    assert "resized by area" in text
    assert read_info(dataset).fingerprint in text
