"""Files that appear whole or not at all."""

import pytest

from preprocessing.dataset.atomic import replacing, write_text


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
