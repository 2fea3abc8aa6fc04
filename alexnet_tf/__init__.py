"""AlexNet in TensorFlow: network, training, evaluation, export.

    from alexnet_tf import AlexNet, fine_tune, load_dataset, load_model, load_run, new_head

Names are imported when first used, so that command lines start without what they do not need.
"""

import importlib
import os
import signal
import sys

from alexnet_tf import startup_imports, startup_lines
from preprocessing.dataset.version import VERSION as __version__

_HOMES = {
    "AlexNet": "network.untrained",
    "TrainedNetwork": "runs.trained_network",
    "fine_tune": "runs.fine_tuning",
    "load_dataset": "data.dataset",
    "load_model": "runs.loading",
    "load_preset": "runs.loading",
    "load_run": "runs.loading",
    "new_head": "network.head",
    "Dropout": "network.layers",
    "LocalResponseNormalization": "network.layers",
    "SpatialResponseNormalization": "network.layers",
}
__all__ = ["__version__", *sorted(_HOMES)]


def leave(*_: object) -> None:
    """Ctrl-C while a verb is imported, which takes seconds: no traceback of half an import."""
    os._exit(128 + signal.SIGINT)


def _loads_a_verb() -> bool:
    """Whether this is `python -m alexnet_tf.VERB`, not yet at its first line.

    Another package's `__init__` may import this one while Python looks for a module of that.
    """
    module = sys.orig_argv[len(sys.orig_argv) - len(sys.argv) :][:1]  # before the verb's arguments
    return sys.argv[:1] == ["-m"] and module[0].removeprefix("-m").split(".")[0] == __name__


if _loads_a_verb():
    startup_lines.begin()
    startup_imports.begin()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)  # `cli.run` ends all of it
# TensorFlow announces its CPU features and missing GPUs at every start; errors still show.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
