"""The files of a dataset that are no shards, as bytes: the mean image and the rejects."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterable

import numpy as np
import PIL.Image

from preprocessing.dataset.mean_image import encode_mean_image
from preprocessing.dataset.names import MEAN_FILE, MEAN_IMAGE, REJECTS_FILE
from preprocessing.sources.listing import RejectEntry


def other_files(mean: np.ndarray, rejects: Iterable[RejectEntry]) -> dict[str, bytes]:
    """Name -> bytes.

    Args:
        mean: the training split's mean image, float [N, N, 3], RGB, 0..255.
        rejects: in the order of rejects.jsonl.
    """
    return {
        MEAN_FILE: encode_mean_image(mean),
        MEAN_IMAGE: _png(mean),
        REJECTS_FILE: reject_lines(rejects),
    }


def reject_lines(rejects: Iterable[RejectEntry]) -> bytes:
    """rejects.jsonl: a JSON object a line, in ASCII, so that no name can be mistaken for a line."""
    return b"".join(f"{json.dumps(dataclasses.asdict(entry))}\n".encode() for entry in rejects)


def _png(mean: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.rint(mean).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
