"""A person's own photographs, from the command line: upright, counted, and told of in words."""

import io

import numpy as np
import pytest
from PIL import Image

from preprocessing.__main__ import main
from preprocessing.dataset.example import decode_example
from preprocessing.dataset.info import read_info
from preprocessing.dataset.tfrecord import read_records
from tests.preprocessing.drawn_images import write_archives, write_class_folders, write_files

SIZE = 16
UPPER = (200, 30, 30)  # the color of an upright image's upper half; the lower one is blue


def upright() -> np.ndarray:
    pixels = np.full((40, 40, 3), (30, 30, 200), np.uint8)
    pixels[:20] = UPPER
    return pixels


def photograph(orientation: int) -> bytes:
    """A JPEG as a telephone stores it: pixels as the sensor had them, and how to turn them."""
    quarters = {1: 0, 3: 2, 6: 1, 8: 3}[orientation]  # counterclockwise
    stored = np.rot90(upright(), quarters)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def convert(folder, output, *arguments, source="folder"):
    paths = ["--input", str(folder), "--output", str(output)]
    options = ["--image-size", str(SIZE), "--encoding", "raw", *arguments]
    runner = ["--direct_running_mode", "in_memory"]
    return main(["convert", "--source", source, *paths, *options, *runner])


def pixels_of(output):
    info = read_info(output)
    for split in info.splits:
        for path in info.shard_paths(output, split):
            with open(path, "rb") as file:
                for record in map(decode_example, read_records(file)):
                    yield (
                        record.filename,
                        np.frombuffer(record.encoded, np.uint8).reshape(SIZE, SIZE, 3),
                    )


@pytest.mark.parametrize(
    ("option", "applied"), [(None, True), ("--apply-exif", True), ("--no-apply-exif", False)]
)
def test_photographs_stand_upright_unless_told_otherwise(tmp_path, option, applied):
    for name in ("cat", "dog"):
        write_files(tmp_path / "in" / name, {f"{n}.jpg": photograph(n) for n in (1, 3, 6, 8)})
    assert convert(tmp_path / "in", tmp_path / "out", *([option] if option else [])) == 0
    assert read_info(tmp_path / "out").options["apply_exif"] is applied
    seen = dict(pixels_of(tmp_path / "out"))
    assert set(seen) == {"1.jpg", "3.jpg", "6.jpg", "8.jpg"}
    for name, pixels in seen.items():
        # Nearer to the upper color than a JPEG's losses are from it, where the half is upper.
        upper = np.abs(pixels.astype(int) - UPPER).max(axis=2) < 40
        assert upper[:7].all() == (applied or name == "1.jpg")
        assert upper.mean() == pytest.approx(0.5, abs=1 / SIZE)


def test_imagenet_is_used_without_exif_by_default(tmp_path):
    write_archives(tmp_path / "in")
    assert convert(tmp_path / "in", tmp_path / "out", source="ilsvrc2012") == 0
    assert read_info(tmp_path / "out").options["apply_exif"] is False


def test_images_of_each_class_are_counted_without_the_rejects(tmp_path, capsys):
    write_class_folders(tmp_path / "in", per_class=5)
    write_files(tmp_path / "in" / "class1", {"9.jpg": photograph(1), "bad.jpg": b"<html>"})
    write_files(tmp_path / "in" / "class2", {"Thumbs.db": b"x"})
    options = ("--validation-fraction", "0.2", "--max-rejects", "0.2")
    assert convert(tmp_path / "in", tmp_path / "out", *options) == 0
    assert "ignored: 1 file not meant as images" in capsys.readouterr().out
    info = read_info(tmp_path / "out")
    totals = np.sum(list(info.class_counts.values()), axis=0)
    assert totals.tolist() == [5, 6, 5]
    for split, counts in info.class_counts.items():
        assert sum(counts) == info.num_examples(split)
    assert main(["inspect", str(tmp_path / "out")]) == 0
    train = info.class_counts["train"]
    lines = capsys.readouterr().out.splitlines()
    for label, count in enumerate(train):
        (line,) = (line for line in lines if line.startswith(f"      {label}  class{label}"))
        assert f"train {count}, validation {info.class_counts['validation'][label]}" in line
        assert line.count(f"class{label}") == 1  # not once as folder and once as name


def test_names_in_errors_are_escaped(tmp_path, capsys):
    write_class_folders(tmp_path / "in" / "train")
    write_files(tmp_path / "in" / "val" / "\x1b[31mred\n", {"a.jpg": photograph(1)})
    assert convert(tmp_path / "in", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "\\x1b[31mred" in error
    assert error[:-1].isprintable()
    assert not (tmp_path / "out").exists()
