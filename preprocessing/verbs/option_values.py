"""Checks of options' values that several verbs share."""

from typing import Any

from preprocessing.errors import DatasetError
from preprocessing.images.convert import ImageOptions
from preprocessing.storage.choose import is_remote

MOST_WORKERS = 10_000
_OF_PATTERNS = "*?["  # Beam's


def check_range(option: str, value: float, low: float, high: float) -> None:
    """Raises DatasetError, naming the option, if the value is not within low..high."""
    if not low <= value <= high:
        raise DatasetError(f"expected {option} from {low} to {high}, received {value}")


def check_workers(value: int | None) -> None:
    """Raises DatasetError unless it is a number of processes, or left to the machine."""
    if value is not None:
        check_range("--workers", value, 1, MOST_WORKERS)


def check_path(option: str, value: str) -> None:
    """Raises DatasetError for a path that is empty, or that Beam would take for a pattern.

    An unset variable in quotes gives an empty one. Beam matches and deletes remote paths as
    patterns, in which nothing can be quoted; local paths may hold any character.
    """
    if not value.strip():
        raise DatasetError(f"expected a path as {option}, received {value!r}")
    found = [character for character in _OF_PATTERNS if character in value]
    if is_remote(value) and found:
        raise DatasetError(
            f"expected a remote path without any of {' '.join(_OF_PATTERNS)} as {option}, for it "
            f"would be a pattern of several; received {value!r}: choose another name"
        )


def check_local(option: str, value: str) -> None:
    """Raises DatasetError for a path with a scheme, which would be a local folder of that name."""
    if is_remote(value):
        raise DatasetError(
            f"expected a local folder as {option}, received {value!r}: name one, and copy it there"
        )


def image_options(**values: Any) -> ImageOptions:
    """ImageOptions of an option's values; a value out of range is a DatasetError."""
    try:
        return ImageOptions(**values)
    except ValueError as error:
        raise DatasetError(str(error)) from error
