"""Which filesystem a path lies on; the one place where that is decided.

Local paths take the fast way and need no Beam, whose import costs seconds. All others
(gs://, s3://, hdfs://, ...) go through Beam's filesystems.
"""

import os

from preprocessing.storage.files import Files, LocalFiles


def is_remote(path: str) -> bool:
    """Whether a path has a scheme, as gs://bucket/folder has."""
    return "://" in path


def files_for(path: str, remember: bool = False) -> Files:
    """The filesystem of a path.

    Args:
        path: local, or with a scheme.
        remember: list each remote folder once and answer from memory; for input, which does not
            change.

    Raises:
        DatasetError: Beam knows no filesystem of this scheme, or what it needs is not installed.
    """
    if not is_remote(path):
        return LocalFiles()
    from preprocessing.storage.beam_files import BeamFiles
    from preprocessing.storage.beam_schemes import check_usable

    check_usable(path)
    return BeamFiles(remember)


def absolute(path: str) -> str:
    """The path as worker processes can use it, whatever folder they run in."""
    return path if is_remote(path) else os.path.abspath(path)
