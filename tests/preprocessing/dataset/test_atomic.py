"""Files that appear whole or not at all."""

import os
from pathlib import Path

import pytest

from preprocessing.dataset.atomic import replacing, replacing_directory, write_text


def test_a_file_appears_at_the_end_alone(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as file:
        file.write(b"one")
        assert not path.exists()
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, there, error):
    path = tmp_path / "file"
    if there:
        path.write_bytes(b"old")
    with pytest.raises(error), replacing(path) as file:  # noqa: PT012
        file.write(b"half")
        raise error
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"] * there


def test_a_text_is_replaced(tmp_path):
    write_text(tmp_path / "file", "first")
    write_text(tmp_path / "file", "größer")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "größer"


def test_a_rename_that_fails_leaves_no_temporary_file(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_text(tmp_path / "folder", "text")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def fill(directory: str, text: str) -> None:
    (Path(directory) / "inside").mkdir()
    (Path(directory) / "inside" / "file").write_text(text)


@pytest.mark.parametrize("there", [True, False])
def test_a_directory_appears_at_the_end_whole(tmp_path, there):
    path = tmp_path / "folder"
    if there:
        path.mkdir()
        (path / "other").write_text("old")
    with replacing_directory(path) as new:
        fill(new, "new")
        assert not (path / "inside").exists()
    assert contents(tmp_path) == {"folder/inside/file": "new"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_directory_half_made_leaves_what_was_there(tmp_path, there, error):
    path = tmp_path / "folder"
    if there:
        path.mkdir()
        (path / "other").write_text("old")
    with pytest.raises(error), replacing_directory(path) as new:  # noqa: PT012
        fill(new, "half")
        raise error
    assert contents(tmp_path) == ({"folder/other": "old"} if there else {})
    assert [p.name for p in tmp_path.iterdir()] == ["folder"] * there


def test_a_rename_that_fails_puts_the_old_directory_back(tmp_path, monkeypatch):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "other").write_text("old")
    rename = os.replace

    def fails(source, target):
        if str(source).endswith(".new"):
            raise OSError("no")
        rename(source, target)

    with pytest.raises(OSError, match="no"), replacing_directory(path) as new:  # noqa: PT012
        fill(new, "new")
        monkeypatch.setattr(os, "replace", fails)
    assert contents(tmp_path) == {"folder/other": "old"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("there", [True, False])
def test_through_a_link_what_it_points_to_is_replaced(tmp_path, there):
    link, real = tmp_path / "link", tmp_path / "elsewhere" / "folder"
    real.parent.mkdir()
    if there:
        real.mkdir()
        (real / "other").write_text("old")
    link.symlink_to(real)
    with replacing_directory(link) as new:
        fill(new, "new")
    assert link.is_symlink()
    assert contents(real) == {"inside/file": "new"}
    assert list(real.parent.iterdir()) == [real]


def test_an_error_names_what_was_asked_for(tmp_path):
    for replace in (replacing, replacing_directory):
        with pytest.raises(FileNotFoundError) as raised, replace(tmp_path / "none" / "name"):
            pass
        assert raised.value.filename == str(tmp_path / "none" / "name")


@pytest.mark.parametrize(
    "name", ["file/inside", "n" * 300, "loop/inside"], ids=["in a file", "too long", "loop"]
)
def test_where_no_file_can_be_the_error_names_what_was_asked_for(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=r"directory|too long|links") as raised:
        write_text(tmp_path / name, "text")
    assert raised.value.filename == str(tmp_path / name)


def test_an_error_of_the_renaming_names_what_was_asked_for(tmp_path, monkeypatch):
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    with pytest.raises(IsADirectoryError) as raised:
        write_text(folder, "text")
    assert str(raised.value) == f"[Errno 21] Is a directory: {str(folder)!r}"
    file.write_text("old")
    rename = os.replace

    def fails(source, target):
        """Puts a file in the way that was not there when the old one was put aside."""
        if source.endswith(".new"):
            file.write_text("new")
        rename(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(NotADirectoryError) as raised, replacing_directory(file):
        pass
    assert str(raised.value) == f"[Errno 20] Not a directory: {str(file)!r}"
    assert contents(tmp_path) == {"file": "old"}
