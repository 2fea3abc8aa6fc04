"""An array of a file that was looked through and not yet read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class StoredArray:
    """An array still in its file; `read` loads it."""

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]
