"""What the verbs' command lines share: exit codes, and one line for a user's mistake."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence

import alexnet_tf
from alexnet_tf import startup_imports, startup_lines
from alexnet_tf.errors import MISTAKEN, ConfigError, JobError, UserError
from preprocessing.dataset.printable import printable
from preprocessing.dataset.reader_gone import READER_GONE, reader_is_gone

HELP = not {"-h", "--help"}.isdisjoint(sys.argv[1:])  # the verb will print its help and end


class Parser(argparse.ArgumentParser):
    """A verb's arguments. A mistake in them is one line, as any other, without the whole usage."""

    def error(self, message: str):
        word = message.removeprefix("unrecognized arguments: ").split(" ")[0]
        near = difflib.get_close_matches(word, self._option_string_actions, n=1)
        hint = f"; did you mean {near[0]}?" if near and word.startswith("--") else ""
        self.exit(2, f"error: {printable(message)}{hint} (see --help)\n")


def run(main: Callable[[Sequence[str] | None], int | None]) -> None:
    """Calls a verb's main and exits: 0 done, 1 failed, 2 a user's mistake, 130 interrupted, 141 if
    nobody reads its output any more."""
    if "tensorflow" in sys.modules:  # it finds its devices now, and says so
        sys.modules["tensorflow"].config.list_physical_devices()
    startup_lines.loaded()
    startup_imports.end()
    if signal.getsignal(signal.SIGINT) is alexnet_tf.leave:  # set while the verb was imported
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Whatever the terminal cannot show. Standard error is so by itself, and may not be asked: where
    # it is a file, Python looks up its place in it, and it may be a pipe now (`startup_lines`).
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = main(None) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
        sys.exit(code)
    except UserError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        sys.exit(2)
    except JobError as error:
        print(f"failed: {printable(str(error))}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        if not reader_is_gone():
            raise
        sys.exit(READER_GONE)
    finally:
        startup_lines.end()


@contextlib.contextmanager
def writing(what: str | os.PathLike[str]) -> Iterator[None]:
    """Within it, an OSError is told in one line: a mistaken path, or a disk that would not.

    Raises ConfigError or JobError.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        line = f"cannot write {os.fspath(what)}: {reason}"
        raise (ConfigError if error.errno in MISTAKEN else JobError)(line) from error
