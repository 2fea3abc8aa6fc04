"""Makes verbs load sooner: what they do not need is left out, and the garbage collector waits.

Keras 3 imports scikit-learn (for its wrappers) and matplotlib's pyplot (for its galleries), where
they are installed, and does without where they are not: half of the time that TensorFlow takes to
load. TensorFlow in turn imports Keras, and does without it. Between `begin` and `end` they count as
not installed. Whoever uses this package from Python gets Keras whole.

A million objects come with TensorFlow and stay. Looking through them for garbage, again and again
while they come, is a fifth of the time.
"""

from __future__ import annotations

import gc
import sys

LEFT_OUT = ("sklearn", "matplotlib.pyplot")

_begun = False
_hidden: list[str] = []
_collecting = False  # whether it was before


def begin() -> None:
    """From now on, until `end`; what was imported already stays."""
    global _begun, _collecting
    if _begun:
        return
    _begun = True
    _collecting = gc.isenabled()
    gc.disable()
    for name in LEFT_OUT:
        leave_out(name)


def leave_out(name: str) -> None:
    """One more, for a verb that does without; nothing if there was no `begin`."""
    if _begun and name not in sys.modules:
        sys.modules[name] = None  # as `import` marks what is known not to be there
        _hidden.append(name)


def end() -> None:
    """They can be imported again. The collector goes on, and never looks at what is there now."""
    global _begun
    if not _begun:
        return
    _begun = False
    while _hidden:
        name = _hidden.pop()
        if sys.modules.get(name, name) is None:
            del sys.modules[name]
    if _collecting:
        gc.freeze()
        gc.enable()
