"""Configurations by name."""

import pytest

from alexnet_tf import describe
from alexnet_tf.config import builtin, files
from alexnet_tf.errors import ConfigError


def test_a_name_is_the_file_of_that_name():
    assert files.load("paper") == files.load(builtin.DIRECTORY / "paper.yaml")
    assert files.load("small", ["network.width=1"]).network.width == 1


def test_a_path_still_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paper").write_text("network: {variant: original}")
    assert files.load("paper").network.variant == "original"
    with pytest.raises(ConfigError, match=r"received .*small.yaml, which is no file"):
        files.load("small.yaml")


def test_a_folder_of_a_configurations_name_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()  # as `make demo` leaves it
    assert files.load("demo") == files.load(builtin.DIRECTORY / "demo.yaml")


@pytest.mark.parametrize(("name", "hint"), [("orignal", "did you mean orig"), ("x", "there are")])
def test_another_name_is_refused(name, hint):
    with pytest.raises(ConfigError, match=f"received {name}; {hint}"):
        files.load(name)


def test_the_list_has_them_all_with_a_sentence_each(capsys):
    assert describe.main(["--list"]) == 0
    rows = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == builtin.names()
    assert all(len(row[1]) > 20 for row in rows)
