"""How far a job is, by what its workers leave."""

import itertools
import types

import pytest

from preprocessing.job.plan import ShardTask
from preprocessing.job.progress import JobProgress
from preprocessing.job.workspace import JobFolder
from preprocessing.storage.files import LocalFiles
from tests.preprocessing.drawn_images import write_files

TASKS = [ShardTask(name, "train", images, 0, 0, "") for name, images in (("a", 5), ("b", 7))]


@pytest.fixture
def folder(tmp_path):
    return JobFolder(LocalFiles(), str(tmp_path), "key")


@pytest.fixture(autouse=True)
def _looks_each_time(monkeypatch):
    seconds = itertools.count(100, 100)
    clock = types.SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr("preprocessing.job.progress.time", clock)


def test_finished_shards_and_the_others_parts_are_counted(folder, tmp_path):
    progress = JobProgress(folder, TASKS)
    assert progress() == 0
    write_files(tmp_path / ".conversion/key/results", {"a.json": b"", "other.json": b""})
    write_files(tmp_path / ".conversion/key/progress", {"a": b"4", "b": b"3"})
    assert progress() == 8


def test_a_look_that_fails_leaves_what_was_known(folder, tmp_path, monkeypatch):
    """In the display's thread nobody would catch it."""
    progress = JobProgress(folder, TASKS)
    write_files(tmp_path / ".conversion/key/results", {"a.json": b""})
    assert progress() == 5
    with monkeypatch.context() as patch:

        def fail(self, folder):
            raise OSError("503: slow down")

        patch.setattr(LocalFiles, "names", fail)
        write_files(tmp_path / ".conversion/key/results", {"b.json": b""})
        assert progress() == 5
    assert progress() == 12
