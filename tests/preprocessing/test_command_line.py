"""Exit codes and one-line errors of the verbs, as a user meets them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from apache_beam.io.filesystem import BeamIOError

from preprocessing.__main__ import main
from preprocessing.dataset.info import read_info
from preprocessing.storage.beam_schemes import EXTRAS
from tests import tiny_datasets
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
    assert f"the first is bad.jpg in {tmp_path / 'in' / 'class0'}" in error
    assert "a larger --max-rejects, such as 0.06: " in error  # 1 / 19 is 0.053


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
        (["--image-sise", "64"], "received --image-sise;"),
        (["--direct_num_workers", "x"], "argument --direct_num_workers: invalid int value: 'x'"),
        (["--direct_running_mode", "fast"], "invalid choice: 'fast'"),
        (["--runner", "DataflowRunner", "--num_workers", "x"], "--num_workers: invalid int value"),
        (["--experiments"], "expected one argument"),
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


@pytest.mark.parametrize("option", ["--input", "--output", "benchmark"])
def test_a_link_to_itself_exits_2_in_one_line(tmp_path, option, capsys):
    write_class_folders(tmp_path / "in")
    (tmp_path / "loop").symlink_to("loop")
    places = {"--input": tmp_path / "in", "--output": tmp_path / "out", option: tmp_path / "loop"}
    if option == "benchmark":
        code = main(["benchmark", "--input", str(tmp_path / "loop")])
    else:
        folders = ("--input", places["--input"], "--output", places["--output"])
        code = convert("--source", "folder", *folders)
    assert code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert str(tmp_path / "loop") in error
    assert error.startswith("preprocessing ")


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


def test_a_sample_is_drawn_on_a_disk_only(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    few = ("--train-per-class", "1", "--validation-per-class", "1", "--workers", "1")
    assert main(["sample", "--output", "gs://bucket/x", *few]) == 2
    error = capsys.readouterr().err
    assert "expected a local folder as --output, received 'gs://bucket/x'" in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["", " ", "\t\n"])
@pytest.mark.parametrize(
    ("verb", "option"),
    [
        ("convert", "--input"),
        ("convert", "--output"),
        ("verify", "DIRECTORY"),
        ("inspect", "DIRECTORY"),
        ("sample", "--output"),
        ("benchmark", "--input"),
    ],
)
def test_an_empty_path_is_refused(tmp_path, monkeypatch, capsys, verb, option, path):
    """As `--output "$UNSET"` gives it; it would mean the working folder."""
    monkeypatch.chdir(tmp_path)
    given = {"convert": ["--source", "folder"]}.get(verb, [])
    for name in ("--input", "--output") if verb == "convert" else (option,):
        given += [name] if name != "DIRECTORY" else []
        given += [path if name == option else str(tmp_path)]
    assert exit_code(main, [verb, *given]) == 2
    error = capsys.readouterr().err
    assert f"expected a path as {option}, received {path!r}" in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["verify", "sample", "benchmark"])
@pytest.mark.parametrize("workers", ["-1", "0", "10001"])
def test_a_number_of_workers_that_cannot_be(tmp_path, capsys, verb, workers):
    place = {"verify": [], "sample": ["--output"], "benchmark": ["--input"]}[verb]
    assert exit_code(main, [verb, *place, str(tmp_path), "--workers", workers]) == 2
    error = capsys.readouterr().err
    assert f"expected --workers from 1 to 10000, received {workers}" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("scheme", ["gs", "s3", "hdfs", "ftp"])
@pytest.mark.parametrize("call", ["input", "output", "verify", "inspect"])
def test_a_filesystem_that_is_not_installed(tmp_path, capsys, monkeypatch, scheme, call):
    """Beam has not what the scheme needs, or has never heard of it."""

    def unknown(path):
        raise ValueError("Unable to get filesystem")

    monkeypatch.setattr("preprocessing.storage.beam_schemes.FileSystems.get_filesystem", unknown)
    write_class_folders(tmp_path / "in")
    path = f"{scheme}://bucket/folder"
    places = {"--input": tmp_path / "in", "--output": tmp_path / "out", f"--{call}": path}
    if call in ("input", "output"):
        arguments = [
            str(part) for option in ("--input", "--output") for part in (option, places[option])
        ]
        code = convert("--source", "folder", *arguments)
    else:
        code = main([call, path])
    assert code == 2
    error = capsys.readouterr().err
    extra = {"gs": "gcp", "s3": "aws", "hdfs": "hadoop"}.get(scheme)
    way = f'pip install "alexnet_tf[{extra}]"' if extra else "known are gs://, s3://, hdfs://"
    assert path in error
    assert way in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("scheme", "extra"), [("s3", "aws"), ("hdfs", "hadoop")])
def test_a_scheme_without_its_library(capsys, monkeypatch, scheme, extra):
    """Beam knows the scheme without it, and fails at the first request."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["verify", f"{scheme}://bucket/folder"]) == 2
    error = capsys.readouterr().err
    assert f'pip install "alexnet_tf[{extra}]"' in error
    assert error.count("\n") == 1


def test_a_filesystem_that_lacks_an_option(capsys, monkeypatch):
    def fail(path):
        raise BeamIOError("Unable to get", {path: ValueError("hdfs_host is not set")})

    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("preprocessing.storage.beam_schemes.FileSystems.get_filesystem", fail)
    assert main(["inspect", "hdfs://folder"]) == 2
    told = "preprocessing inspect: cannot use 'hdfs://folder': hdfs_host is not set\n"
    assert capsys.readouterr().err == told


def test_beam_does_not_warn_of_parts_that_are_not_needed(tmp_path):
    command = [sys.executable, "-m", "preprocessing", "verify", "ftp://host/folder"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_the_extras_that_errors_name_exist():
    text = (Path(__file__).parents[2] / "setup.py").read_text()
    for scheme, extra in EXTRAS.items():
        assert f'"{extra}": ["apache-beam[{extra}]' in text, scheme


def test_workers_get_absolute_paths(tmp_path, monkeypatch):
    """They may run in another folder than the command."""
    write_class_folders(tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(
        "preprocessing.job.convert.convert", lambda conversion, options: asked.append(conversion)
    )
    with pytest.raises(AttributeError):  # there is no summary
        convert("--source", "folder", "--input", "in", "--output", "sub/../out")
    assert (asked[0].input, asked[0].output) == (str(tmp_path / "in"), str(tmp_path / "out"))
    with pytest.raises(AttributeError):
        convert("--source", "folder", "--input", "blob://a/b", "--output", "blob://a/c")
    assert (asked[1].input, asked[1].output) == ("blob://a/b", "blob://a/c")


# Ctrl-C, as the terminal sends it, when a certain module is about to be imported.
INTERRUPTED_IMPORT = """
import importlib.abc, os, runpy, signal, sys
module = sys.argv.pop(1)
class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
runpy.run_module("preprocessing", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    ("verb", "module"),
    [
        ("verify", "preprocessing.verbs.convert"),
        ("verify", "numpy"),
        ("verify", "PIL.Image"),
        ("inspect", "preprocessing.inspection.describe"),
        ("convert", "apache_beam"),
        ("convert", "grpc._cython"),
        ("sample", "scipy.io"),
    ],
)
def test_an_interruption_while_a_verb_imports(tmp_path, verb, module):
    given = {
        "convert": ["--source", "folder", "--input", "in", "--output", "out"],
        "sample": ["--output", "out"],
    }.get(verb, ["out"])
    command = [sys.executable, "-c", INTERRUPTED_IMPORT, module, verb, *given]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr == "interrupted\n"


def test_help_names_every_option(capsys):
    assert exit_code(main, ["convert", "--help"]) == 0
    text = capsys.readouterr().out
    for option in ("--source", "--shards", "--max-rejects", "--overwrite", "--runner"):
        assert option in text


def test_a_path_that_cannot_be_used_exits_2_and_is_named(tmp_path, capsys):
    tiny_datasets.write(tmp_path / "data", size=8)
    sheet = tmp_path / "none" / "sheet.png"
    assert main(["inspect", str(tmp_path / "data"), "--images", str(sheet)]) == 2
    error = capsys.readouterr().err
    assert error == f"preprocessing inspect: cannot use {sheet}: No such file or directory\n"
    assert main(["inspect", str(tmp_path / "data"), "--images", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error == f"preprocessing inspect: cannot use {tmp_path}: Is a directory\n"
    (tmp_path / "file.txt").touch()
    sheet = tmp_path / "file.txt" / "sheet.png"
    assert main(["inspect", str(tmp_path / "data"), "--images", str(sheet)]) == 2
    error = capsys.readouterr().err
    assert error == f"preprocessing inspect: cannot use {sheet}: Not a directory\n"
