"""alexnet VERB ..., or python -m alexnet_tf VERB ...: all verbs under one command.

python -m alexnet_tf.VERB is the same.
"""

from __future__ import annotations

import difflib
import importlib
import sys

from alexnet_tf import cli, startup_imports, startup_lines
from alexnet_tf.errors import ConfigError
from preprocessing.dataset.version import VERSION

VERBS = {
    "train": "train a network, or go on with a training that was stopped",
    "evaluate": "top-1 and top-5 error of a run, or of several averaged",
    "export": "a run as a SavedModel that TensorFlow alone can serve",
    "predict": "the most probable classes of image files",
    "visualize": "the paper's figures 3 and 4, errors by class, curves",
    "describe": "a network as a table; all configurations; all settings",
    "import_weights": "a run from torchvision's or Caffe's weights",
    "reproduce": "what the paper claims, tried",
    "benchmark": "how fast it is here",
}


def main() -> None:
    """Calls a verb with the rest of the command line, and exits."""
    given = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if given in ("-h", "--help"):
        print("usage: alexnet VERB ... (alexnet VERB --help; for datasets alexnet-data --help)\n")
        print("\n".join(f"  {verb:15} {what}" for verb, what in VERBS.items()))
        sys.exit(0)
    if given == "--version":
        print(f"alexnet_tf {VERSION}")
        sys.exit(0)
    verb = given.replace("-", "_")
    if verb not in VERBS:
        cli.run(lambda _: _unknown(given))
    sys.argv = [f"alexnet {verb}", *sys.argv[2:]]
    startup_lines.begin()
    startup_imports.begin()
    cli.run(importlib.import_module(f"alexnet_tf.{verb}").main)


def _unknown(given: str) -> None:
    near = difflib.get_close_matches(given, VERBS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(f"expected one of {', '.join(VERBS)}, received {given!r:.100}{hint}")


if __name__ == "__main__":
    main()
