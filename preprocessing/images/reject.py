"""Why an image is not in a dataset."""

from __future__ import annotations


class Reject(Exception):
    """This image cannot be converted. `reason` is a short slug to count by, `detail` one line.

    Reasons: "empty" (no bytes), "not-an-image" (no known format), "truncated" (bytes are missing),
    "undecodable" (damaged otherwise), "too-many-pixels", "too-much-work" (it would be decoded over
    and over), "unsupported-mode" (its pixels have no defined 8-bit RGB value, such as floating
    point).
    """

    def __init__(self, reason: str, detail: str):
        super().__init__(reason, detail)  # both, so that the exception survives pickling
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
