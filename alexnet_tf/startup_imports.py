"""Leaves out, while a verb loads, what Keras imports for features that no verb has.

Keras 3 imports scikit-learn (for its wrappers) and matplotlib's pyplot (for its galleries), where
they are installed, and does without where they are not: half of the time that TensorFlow takes to
load. Between `begin` and `end` they count as not installed. Whoever uses this package from Python
gets Keras whole.
"""

from __future__ import annotations

import sys

LEFT_OUT = ("sklearn", "matplotlib.pyplot")

_hidden: list[str] = []


def begin() -> None:
    """From now on, until `end`; what was imported already stays."""
    for name in LEFT_OUT:
        if name not in sys.modules:
            sys.modules[name] = None  # as `import` marks what is known not to be there
            _hidden.append(name)


def end() -> None:
    """They can be imported again."""
    while _hidden:
        name = _hidden.pop()
        if sys.modules.get(name, name) is None:
            del sys.modules[name]
