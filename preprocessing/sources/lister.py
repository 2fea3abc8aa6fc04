"""What sources made of tar archives and folders have in common: they collect a Listing.

Nothing is extracted or decoded. The sources are ilsvrc2012.py and class_folders.py.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from typing import BinaryIO

from preprocessing.errors import DatasetError
from preprocessing.sources.layout import is_no_image, subfolders
from preprocessing.sources.listing import ImageRef, Listing, RejectEntry
from preprocessing.storage.files import LEADS_NOWHERE, SPECIAL_FILE, Files
from preprocessing.storage.tar import list_tar

_NO_FILES = {  # reasons for the sizes of what is no file
    LEADS_NOWHERE: ("link", "it leads to no file that can be reached"),
    SPECIAL_FILE: ("special-file", "a pipe, socket or device"),
}

Report = Callable[[int], None]  # called with the number of images listed so far


class Lister:
    """Collects a Listing."""

    def __init__(self, files: Files, folder: str, report: Report, follow_links: bool = False):
        """Args:
        files, folder: the input.
        report: called with the number of images listed so far.
        follow_links: list folders that are links too; they lead out of the input.
        """
        self.files = files
        self.follow_links = follow_links
        self.folder = folder
        self.report = report
        self.listing = Listing()
        self._count = 0

    def add(self, split: str, ref: ImageRef) -> None:
        self.listing.add(split, ref)
        self._count += 1
        if self._count % 1000 == 0:
            self.report(self._count)

    def reject(self, split: str, name: str, where: str, reason: str, detail: str) -> None:
        self.listing.rejects.append(RejectEntry(split, name, where, reason, detail))

    def identify(self, item: str, path: str) -> None:
        """Notes the state of one input file."""
        entry = self.files.entry(path)
        self.listing.identity[item] = f"{entry.size} bytes, changed {entry.changed}"

    def add_tar(
        self,
        split: str,
        file: BinaryIO,
        container: int,
        path: str,
        label_of: Callable[[str], int],
        start: int = 0,
        end: int | None = None,
    ) -> None:
        """Adds the images of the tar archive at start:end of an opened file.

        Args:
            file: opened for reading; container: its number in the listing.
            path: how to call the archive in rejects and errors.
            label_of: an image's label, from its name.
        """
        for member in list_tar(file, path, start, end):
            name = member.name.rpartition("/")[2]
            if member.problem:
                detail = f"{member.name!r} is no regular file of a plain name"
                self.reject(split, name, path, member.problem, detail)
                continue
            label = label_of(name)
            self.add(split, ImageRef(container, name, member.offset, member.size, label))

    def add_folder(self, split: str, path: str, label_of: Callable[[str], int]) -> None:
        """Adds the images below a folder; what it holds is identified by a digest."""
        self._check_links([path])
        container = self.listing.add_container("folder", path)
        digest, count = hashlib.sha256(), 0
        for entry in self.files.walk(path):
            if is_no_image(entry.name):
                self.listing.ignored += 1
                continue
            state = f"{entry.name!r} {entry.size} {entry.changed}\n"
            digest.update(state.encode("utf-8", "surrogateescape"))
            count += 1
            if entry.size < 0:
                self.reject(split, entry.name, path, *_NO_FILES[entry.size])
            else:
                label = label_of(entry.name)
                self.add(split, ImageRef(container, entry.name, -1, entry.size, label))
        if not count:
            raise DatasetError(f"expected images in {path!r}, found none")
        relative = path[len(self.folder) :].lstrip("/")
        self.listing.identity[f"folder {relative}"] = f"{count} files, {digest.hexdigest()[:16]}"

    def check_found(self, split: str, path: str) -> None:
        """Raises DatasetError if nothing that was added from a path is an image of the split."""
        if split in self.listing.splits:
            return
        rejects = [entry for entry in self.listing.rejects if entry.split == split]
        found = f"{len(rejects)} that cannot be read" if rejects else "none"
        first = f"; the first, {rejects[0].filename!r}: {rejects[0].detail}" if rejects else ""
        raise DatasetError(f"expected images in {path}, found {found}{first}")

    def class_folders(self, path: str) -> list[str]:
        """Sorted names of the folders in a folder; other files in it are counted as ignored.

        Raises:
            DatasetError: one is a link, or has a name that is empty or no text.
        """
        names = [name for name in self.files.names(path) if not name.startswith(".")]
        if "" in names:
            raise DatasetError(f"expected names below {path!r}, found '//' in a key: rename it")
        folders = subfolders(self.files, path)
        self.listing.ignored += len(names) - len(folders)
        self._check_links([path, *(self.files.join(path, name) for name in folders)])
        for name in folders:
            if not _is_text(name):  # it could not be written to dataset_info.json
                raise DatasetError(
                    f"expected names in UTF-8 in {path!r}, found {name!r}: rename it"
                )
        return folders

    def _check_links(self, paths: Iterable[str]) -> None:
        """Raises DatasetError if one leads out of the input, unless that is wanted."""
        if self.follow_links or not self.files.is_local:
            return
        links = [path for path in paths if path != self.folder and os.path.islink(path)]
        if links:
            more = f" and {len(links) - 1} more" if len(links) > 1 else ""
            raise DatasetError(
                f"expected folders of its own in {self.folder!r}, found links that may lead out of "
                f"it: {links[0]!r} to {os.readlink(links[0])!r}{more}; follow them with "
                "--follow-links"
            )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
