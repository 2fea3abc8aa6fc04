"""A remembered listing answers as the files themselves would, and asks the store only once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.storage.beam_files import BeamFiles
from preprocessing.storage.remembered import RememberedFolder
from tests.preprocessing.object_store import BLOBS, BlobFileSystem

names = st.text("ab.-/", min_size=1, max_size=8).filter(
    lambda name: all(part for part in name.split("/"))
)
keys = st.text("ab.-/", min_size=1, max_size=8).filter(lambda key: not key.endswith("/"))
files = st.dictionaries(names, st.integers(0, 99), max_size=12)


@given(files, st.sampled_from(["", "a", "b", "a/b", "a/b/", "-"]))
def test_it_holds_what_was_added(given_files, folder):
    listed = RememberedFolder()
    for number, (name, size) in enumerate(given_files.items()):
        listed.add(name, size, float(number))
    prefix = folder.rstrip("/") + "/" if folder else ""
    below = {
        name.removeprefix(prefix): s for name, s in given_files.items() if name.startswith(prefix)
    }
    found = list(listed.below(folder))
    assert {entry.name: entry.size for entry in found} == below
    assert [entry.name for entry in found] == sorted(below, key=lambda name: name.split("/"))
    numbers = {name: str(float(n)) for n, name in enumerate(given_files)}
    assert all(entry.changed == numbers[prefix + entry.name] for entry in found)
    for name in ("a", "b/a", "a/b/a", *given_files):
        assert listed.has_file(name) == (name in given_files)
    assert listed.names(folder) == sorted({name.split("/")[0] for name in below})


@given(st.dictionaries(keys, st.integers(0, 99), max_size=12))
def test_remembering_or_asking_each_time_is_the_same(given_files):
    BLOBS.clear()
    BLOBS.update({f"blob://s/in/{n}": (b"x" * size, 1.0) for n, size in given_files.items()})
    remembering, asking = BeamFiles(remember=True), BeamFiles()
    for folder in ("blob://s/in", "blob://s/in/a", "blob://s/in/a/b", "blob://s/in/none"):
        found = list(remembering.walk(folder))
        assert found == list(asking.walk(folder))
        for entry in found:  # what is read by that name is what was listed
            assert len(asking.open(asking.join(folder, entry.name)).read()) == entry.size
        assert remembering.names(folder) == asking.names(folder)
        assert remembering.is_folder(folder) == asking.is_folder(folder)


@pytest.mark.parametrize("folder", ["in", "in [1]", "in*"])
def test_the_store_is_listed_once(monkeypatch, folder):
    """Characters that are patterns to Beam are ordinary in a folder's name."""
    BLOBS.clear()
    BLOBS.update(
        {f"blob://s/{folder}/c{k}/{n}.jpg": (b"x", 1.0) for k in range(9) for n in range(3)}
    )
    asked, listing = [], BlobFileSystem._list

    def counted(self, prefix):
        asked.append(prefix)
        return listing(self, prefix)

    monkeypatch.setattr(BlobFileSystem, "_list", counted)
    files = BeamFiles(remember=True)
    assert files.is_folder(f"blob://s/{folder}")
    for name in files.names(f"blob://s/{folder}"):
        assert files.is_folder(f"blob://s/{folder}/{name}")
        assert len(list(files.walk(f"blob://s/{folder}/{name}"))) == 3
    assert asked == [f"blob://s/{folder}/"]
