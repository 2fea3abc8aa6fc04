"""Two conversions to one directory of an object store: one of them wins, whole, and says so."""

import contextlib
import io
import json
import os
import subprocess
import sys

import pytest

from preprocessing.__main__ import main
from preprocessing.dataset.example import decode_example
from preprocessing.dataset.info import parse_info
from preprocessing.dataset.tfrecord import read_records
from preprocessing.inspection.verify import verify_dataset
from preprocessing.job import convert as conversion
from preprocessing.job.lock import locked
from preprocessing.job.processes import start_time, this_system
from preprocessing.job.workspace import Workspace
from preprocessing.storage.beam_files import BeamFiles
from preprocessing.storage.files import LocalFiles
from tests.preprocessing.conversions import tree
from tests.preprocessing.drawn_images import write_class_folders
from tests.preprocessing.object_store import BLOBS, stored

OUTPUT = "blob://store/out"


@pytest.fixture(autouse=True)
def _empty_store():
    BLOBS.clear()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_class_folders(tmp_path_factory.mktemp("in"), per_class=10)  # 30 images


def convert(source, output=OUTPUT, *more):
    arguments = ["--source", "folder", "--input", str(source), "--output", str(output)]
    small = ["--image-size", "16", "--shards", "train=4", "--direct_running_mode", "in_memory"]
    return main(["convert", *arguments, *small, *map(str, more)])


def names(split):
    """File names of a split's records, from the store."""
    info = parse_info(BLOBS[f"{OUTPUT}/dataset_info.json"][0], "info")
    return [
        decode_example(data).filename
        for shard in info.splits[split]
        for data in read_records(io.BytesIO(BLOBS[f"{OUTPUT}/{shard.name}"][0]))
    ]


def check_whole():
    assert verify_dataset(OUTPUT, lambda path: BeamFiles(), workers=0) == []
    assert len(names("train")) == 27
    assert len(names("validation")) == 3
    assert not [path for path in BLOBS if ".conversion" in path]


def second_job_meanwhile(monkeypatch, at, second):
    """Calls second() once, in the midst of the first job: just before its step `at`."""
    step, codes = getattr(conversion, at), []

    def interposed(*arguments):
        if not codes:
            codes.append(None)
            codes[0] = second()
        return step(*arguments)

    monkeypatch.setattr(conversion, at, interposed)
    return codes


STEPS = ("list_source", "prepare", "write_plan", "run_pipeline", "read_results", "publish")


@pytest.mark.parametrize("at", STEPS)
@pytest.mark.parametrize("more", [("--seed", 1), ("--seed", 1, "--overwrite"), ()])
def test_the_second_is_refused_whenever_it_comes(source, monkeypatch, capsys, at, more):
    codes = second_job_meanwhile(monkeypatch, at, lambda: convert(source, OUTPUT, *more))
    assert convert(source) == 0
    assert codes == [2]
    errors = capsys.readouterr().err
    assert f"another conversion is writing to {OUTPUT!r} (process {os.getpid()} on" in errors
    check_whole()


@pytest.mark.parametrize("remote", [True, False])
def test_the_second_may_be_done_before_the_first_has_the_lock(
    source, tmp_path, monkeypatch, capsys, remote
):
    """The first has found the directory empty; by now it holds a dataset."""
    output = OUTPUT if remote else tmp_path / "out"
    codes = second_job_meanwhile(
        monkeypatch, "locked", lambda: convert(source, output, "--seed", 1)
    )
    assert convert(source, output) == 2
    assert codes == [0]
    assert "already holds a dataset; nothing was changed" in capsys.readouterr().err
    found = stored(OUTPUT) if remote else tree(output)
    monkeypatch.undo()
    assert convert(source, tmp_path / "expected", "--seed", 1) == 0
    assert found == tree(tmp_path / "expected")


@pytest.mark.parametrize("times", [1, 3])
def test_another_job_may_end_before_the_first_has_opened_its_lock(tmp_path, monkeypatch, times):
    """It removes the working folder, which is empty then, and the output directory."""
    workspace = Workspace(LocalFiles(), str(tmp_path / "out"))
    make, made = LocalFiles.make_folder, []

    def made_and_removed(files, path):
        make(files, path)
        if len(made) < times:
            made.append(path)
            files.delete_if_empty(workspace.folder)
            files.delete_if_empty(workspace.output)

    monkeypatch.setattr(LocalFiles, "make_folder", made_and_removed)
    with locked(workspace):
        assert os.path.exists(workspace.shared("lock"))
    assert len(made) == times
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_leads_nowhere_is_no_reason_to_try_for_ever(tmp_path):
    workspace = Workspace(LocalFiles(), str(tmp_path / "out"))
    os.makedirs(workspace.folder)
    os.symlink(tmp_path / "none" / "lock", workspace.shared("lock"))
    with pytest.raises(FileNotFoundError), locked(workspace):
        pass


@pytest.mark.parametrize("at", STEPS[2:])
def test_without_a_lock_the_first_is_still_what_it_was(source, monkeypatch, at):
    """As if the store listed late: another job, though it starts, changes nothing of the first."""
    monkeypatch.setattr(conversion, "locked", lambda workspace: contextlib.nullcontext())
    codes = second_job_meanwhile(monkeypatch, at, lambda: convert(source, OUTPUT, "--seed", 1))
    assert convert(source) == 0
    assert codes == [2]
    check_whole()
    expected = stored(OUTPUT)
    BLOBS.clear()
    monkeypatch.undo()
    assert convert(source) == 0
    assert stored(OUTPUT) == expected


def test_without_a_lock_a_replaced_job_fails_and_the_other_is_whole(source, monkeypatch, capsys):
    """The second was told to overwrite; the first may not put its own images among the others."""
    monkeypatch.setattr(conversion, "locked", lambda workspace: contextlib.nullcontext())
    again = ("--seed", 1, "--overwrite")
    codes = second_job_meanwhile(
        monkeypatch, "run_pipeline", lambda: convert(source, OUTPUT, *again)
    )
    assert convert(source) == 1
    assert codes == [0]
    assert "the conversion was replaced" in capsys.readouterr().err.splitlines()[-1]
    found = stored(OUTPUT)
    BLOBS.clear()
    monkeypatch.undo()
    assert convert(source, OUTPUT, *again) == 0
    assert {n: data for n, data in found.items() if ".conversion" not in n} == stored(OUTPUT)


def mark(**values):
    """The lock of another conversion; returns its path."""
    holder = {
        "host": "elsewhere",
        "process": 17,
        "started": "1",
        "system": "another boot pid:[1]",
        "since": "2026-01-01 00:00:00 UTC",
    }
    path = f"{OUTPUT}/.conversion/locks/0123456789abcdef.json"
    BLOBS[path] = (json.dumps({**holder, **values}).encode(), 1.0)
    return path


def test_a_holder_elsewhere_is_believed_and_the_way_on_is_told(source, capsys):
    path = mark()
    assert convert(source) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "process 17 on elsewhere since 2026-01-01 00:00:00 UTC" in error
    assert f"If it runs no longer, delete {path} and repeat the command" in error
    assert list(BLOBS) == [path]
    del BLOBS[path]  # as told
    assert convert(source) == 0
    check_whole()


def test_a_holder_that_ended_on_this_machine_is_no_obstacle(source, capsys):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as holder:
        started = start_time(holder.pid)
        path = mark(system=this_system(), process=holder.pid, started=started)
        assert convert(source) == 2
        assert path in BLOBS
    assert convert(source) == 0
    assert "has ended: its lock is removed" in capsys.readouterr().err
    check_whole()


def test_the_id_of_a_holder_that_ended_may_be_another_process(source):
    mark(system=this_system(), process=os.getpid(), started="before this one")
    assert convert(source) == 0


def test_a_holder_that_the_system_does_not_tell_of_is_believed(source, monkeypatch, capsys):
    """Another user's process, where /proc is mounted with hidepid=1."""

    def hidden(pid):
        if pid == 17:
            raise PermissionError(1, "Operation not permitted", f"/proc/{pid}/stat")
        return start_time(pid)

    monkeypatch.setattr("preprocessing.job.lock.start_time", hidden)
    mark(system=this_system())
    assert convert(source) == 2
    assert "process 17 on elsewhere" in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b'{"host": 1}'])
def test_a_damaged_mark_is_believed(source, capsys, data):
    BLOBS[mark()] = (data, 1.0)
    assert convert(source) == 2
    assert "its mark is damaged" in capsys.readouterr().err


# --- an unfinished job's folder, local as well ----------------------------------------------------


def interrupt(*arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize("again", [(), ("--seed", 1)])
def test_a_damaged_job_file(source, tmp_path, monkeypatch, capsys, data, again):
    """The same job goes on; another one says what is damaged, and --overwrite passes it."""
    output = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(conversion, "publish", interrupt)
        assert convert(source, output) == 130
    (folder,) = Workspace(LocalFiles(), str(output)).jobs()
    with open(folder.job, "wb") as file:
        file.write(data)
    capsys.readouterr()
    if again:
        assert convert(source, output, *again) == 2
        error = capsys.readouterr().err
        assert f"{folder.job} is damaged" in error
        assert error.count("\n") == 1
        assert convert(source, output, *again, "--overwrite") == 0
    else:
        assert convert(source, output) == 0
        assert "shards kept 5" in capsys.readouterr().out
    assert verify_dataset(str(output), workers=0) == []
    assert not (output / ".conversion").exists()
