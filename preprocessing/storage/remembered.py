"""A whole folder's listing in memory, compactly: about forty bytes for each file.

Object stores list what lies below a folder in one go, page by page; asking again for each class of
twenty thousand would take hours.
"""

from array import array
from collections.abc import Iterator

from preprocessing.storage.files import FileEntry


class _Node:
    """A folder: its files as columns, its folders by name."""

    __slots__ = ("changed", "folders", "names", "sizes")

    def __init__(self):
        self.names = bytearray()  # each followed by "/", which no file's name holds
        self.sizes = array("q")
        self.changed = array("d")
        self.folders: dict[str, _Node] = {}

    def file_names(self) -> list[str]:
        return self.names.decode("utf-8", "surrogateescape").split("/")[:-1]


class RememberedFolder:
    """What lies below a folder; entries are added once, then looked up."""

    def __init__(self):
        self._root = _Node()
        self._last = ("", self._root)  # listings come folder by folder

    def add(self, name: str, size: int, changed: float) -> None:
        """Adds a file: its path below the folder, bytes, seconds of its last change."""
        path, slash, file_name = name.rpartition("/")
        folder = path + slash
        if self._last[0] != folder:
            node = self._root
            for part in folder.split("/")[:-1]:  # some may be empty: keys are no paths
                node = node.folders.setdefault(part, _Node())
            self._last = (folder, node)
        node = self._last[1]
        node.names += file_name.encode("utf-8", "surrogateescape") + b"/"
        node.sizes.append(size)
        node.changed.append(changed)

    def names(self, path: str) -> list[str]:
        """Sorted names directly in the folder `path` below this one; none if there is none."""
        node = self._find(path)
        return sorted({*node.folders, *node.file_names()}) if node else []

    def has_file(self, path: str) -> bool:
        """Whether there is a file of this path below the folder."""
        folder, slash, name = path.rpartition("/")
        node = self._find(folder + slash)
        return node is not None and name in node.file_names()

    def below(self, path: str) -> Iterator[FileEntry]:
        """All files below the folder `path`, in the order of their paths' parts."""
        node = self._find(path)
        if node:
            yield from _walk(node, "")

    def _find(self, path: str) -> _Node | None:
        folder = path if path.endswith("/") or not path else f"{path}/"
        node: _Node | None = self._root
        for part in folder.split("/")[:-1]:
            node = node.folders.get(part) if node else None
        return node


def _walk(node: _Node, prefix: str) -> Iterator[FileEntry]:
    files = [(name, False, i) for i, name in enumerate(node.file_names())]
    folders = [(name, True, 0) for name in node.folders]
    for name, is_folder, index in sorted(files + folders):  # a store may have both of one name
        if is_folder:
            yield from _walk(node.folders[name], f"{prefix}{name}/")
        else:
            yield FileEntry(f"{prefix}{name}", node.sizes[index], str(node.changed[index]))
