"""SHA-256 of files, wherever they lie."""

import hashlib

from preprocessing.storage.files import Files

_READ_BYTES = 1 << 20


def file_checksum(files: Files, path: str) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with files.open(path) as file:
        while data := file.read(_READ_BYTES):
            digest.update(data)
    return digest.hexdigest()
