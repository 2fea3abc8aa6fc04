"""The configurations that come with the package, by name: `--config paper`.

In a clone they lie in configs/, in an installed package inside it.
"""

from __future__ import annotations

import difflib
import itertools
import os
import re
import textwrap
from pathlib import Path

import alexnet_tf
from alexnet_tf.errors import ConfigError

_PACKAGE = Path(alexnet_tf.__file__).parent
DIRECTORY = next(
    (path for path in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if path.is_dir()),
    _PACKAGE / "configs",
)


def names() -> list[str]:
    """Of all there are."""
    return sorted(path.stem for path in DIRECTORY.glob("*.yaml"))


def find(given: str | os.PathLike) -> Path:
    """The file of a built-in configuration's name, or of a path.

    A folder of that name is none: `make demo` leaves one in a clone.
    Raises ConfigError for a name that neither is.
    """
    path = Path(given)
    if path.suffix or len(path.parts) != 1 or (os.path.exists(path) and not os.path.isdir(path)):
        return path
    if path.name not in names():
        near = difflib.get_close_matches(path.name, names(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names())}"
        raise ConfigError(
            f"--config: expected a YAML file or a built-in configuration, received {path}; {hint}"
        )
    return DIRECTORY / f"{path.name}.yaml"


def summary(name: str) -> str:
    """The first sentence of a configuration's file."""
    text = (DIRECTORY / f"{name}.yaml").read_text(encoding="utf-8")
    said = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    words = " ".join(line.lstrip("# ") for line in said)
    return textwrap.shorten(re.split(r"(?<=[a-z0-9)])[.] ", words)[0], 100, placeholder=" …")
