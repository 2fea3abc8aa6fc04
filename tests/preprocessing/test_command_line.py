"""Exit codes and one-line errors of the verbs, as a user meets them."""

import os
import subprocess
import sys

import pytest

from preprocessing.__main__ import main
from preprocessing.dataset.info import read_info
from tests.deadlines import SECONDS
from tests.preprocessing.drawn_images import write_archives, write_class_folders, write_files

IN_MEMORY = ["--direct_running_mode", "in_memory"]


def convert(*arguments):
    return main(["convert", *map(str, arguments), *IN_MEMORY])


def exit_code(call, *arguments):
    """Of a call that may return it or exit."""
    try:
        return call(*arguments)
    except SystemExit as end:
        return end.code


def test_convert(tmp_path, capsys):
    write_archives(tmp_path / "in")
    asked = ("--source", "ilsvrc2012", "--input", tmp_path / "in", "--output", tmp_path / "out")
    options = ("--image-size", 8, "--encoding", "raw", "--seed", 3, "--shards", "train=2")
    assert convert(*asked, *options, "--resize-filter", "bicubic") == 0
    assert "train: 12 images in 2 shards" in capsys.readouterr().out
    info = read_info(tmp_path / "out")
    assert (info.image_size, info.encoding, info.seed) == (8, "raw", 3)
    assert (info.resize_filter, info.jpeg_quality) == ("bicubic", None)
    assert convert(*asked) == 2
    assert "already holds a dataset" in capsys.readouterr().err
    assert convert(*asked, "--overwrite", "--image-size", 9, "--quality", 80) == 0
    assert read_info(tmp_path / "out").jpeg_quality == 80


def test_a_failed_job_exits_1(tmp_path, capsys):
    write_files(write_class_folders(tmp_path / "in") / "class0", {"bad.jpg": b""})
    assert (
        convert("--source", "folder", "--input", tmp_path / "in", "--output", tmp_path / "o") == 1
    )
    error = capsys.readouterr().err.splitlines()[-1]
    assert "1 of 19 images were rejected (empty 1)" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required"),
        (["frobnicate"], "invalid choice"),
        (["convert", "--source", "folder"], "required: --input, --output"),
        (["convert", "--source", "x", "--input", "a", "--output", "b"], "invalid choice: 'x'"),
        (["verify"], "directory"),
        (["verify", "a", "b"], "b"),
        (["sample"], "--output"),
    ],
)
def test_bad_usage_exits_2_in_one_line(arguments, message, capsys):
    assert exit_code(main, arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--image-size", "0"], "size"),
        (["--image-size", "99999"], "size"),
        (["--quality", "101"], "quality"),
        (["--shards", "train=x"], "--shards"),
        (["--shards", "train=99"], "at most 15 shards"),
        (["--validation-fraction", "1"], "--validation-fraction"),
        (["--max-rejects", "-1"], "--max-rejects"),
        (["--workers", "0"], "--workers"),
        (["--max-pixels", "0"], "pixel"),
        (["--overwrit"], "--overwrit"),
    ],
)
def test_bad_values_exit_2_in_one_line(tmp_path, options, message, capsys):
    write_class_folders(tmp_path / "in")
    folders = ["--input", tmp_path / "in", "--output", tmp_path / "out"]
    code = exit_code(convert, "--source", "folder", *folders, *options)
    assert code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("source", ["ilsvrc2012", "folder", "cifar10"])
def test_no_input_exits_2_in_one_line(tmp_path, source, capsys):
    gone, output = tmp_path / "gone", tmp_path / "out"
    assert convert("--source", source, "--input", gone, "--output", output) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(gone) in error


def test_output_that_nobody_reads_ends_quietly(tmp_path):
    """`inspect DIR | head -1`, where head has gone before anything is written."""
    write_archives(tmp_path / "in")
    asked = ("--source", "ilsvrc2012", "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert convert(*asked, "--image-size", 8) == 0
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "preprocessing", "inspect", str(tmp_path / "out")]
    result = subprocess.run(
        command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=SECONDS
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, "")


def test_sampling_writes_few_lines_to_a_log(tmp_path, capsys):
    few = ("--train-per-class", "1", "--validation-per-class", "1", "--workers", "1")
    assert main(["sample", "--output", str(tmp_path / "out"), *few]) == 0
    assert "\r" not in capsys.readouterr().err


def test_help_names_every_option(capsys):
    assert exit_code(main, ["convert", "--help"]) == 0
    text = capsys.readouterr().out
    for option in ("--source", "--shards", "--max-rejects", "--overwrite", "--runner"):
        assert option in text
