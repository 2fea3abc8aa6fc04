"""python -m preprocessing convert | verify | inspect | sample | benchmark

Exit codes: 0 done, 1 the job failed or a dataset is damaged, 2 a mistake in the call or its input.
"""

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

from preprocessing.dataset.printable import printable
from preprocessing.dataset.reader_gone import READER_GONE, reader_is_gone
from preprocessing.dataset.version import VERSION
from preprocessing.errors import MISTAKEN, DatasetError, JobError, UserError, os_reason

VERBS = ("convert", "verify", "inspect", "sample", "benchmark")


class _Parser(argparse.ArgumentParser):
    """Reports a mistake in one line, without the whole usage before it."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def _is_not_beams(record: logging.LogRecord) -> bool:
    """Of what is logged by no logger of its own: Beam's S3 logs there what it raises as well."""
    return "apache_beam" not in record.pathname


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit code."""
    verb = ""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # whatever the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.ERROR)  # Beam warns of optional parts that are not needed
    logging.getLogger().addFilter(_is_not_beams)
    try:  # the verbs' imports take a second: an interruption may come then
        arguments, rest = _parser().parse_known_args(argv)
        verb = f" {arguments.verb}"
        if "takes_beam_options" in arguments:
            code = arguments.run(arguments, rest)
        elif rest:
            raise DatasetError(f"unrecognized arguments: {' '.join(rest)}; see --help")
        else:
            code = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"preprocessing{verb}: {printable(str(error))}", file=sys.stderr)
        return 2
    except JobError as error:
        print(f"preprocessing{verb}: {printable(str(error))}", file=sys.stderr)
        return 1
    except OSError as error:
        if isinstance(error, BrokenPipeError) and reader_is_gone():
            return READER_GONE
        print(f"preprocessing{verb}: {printable(os_reason(error))}", file=sys.stderr)
        return 2 if error.errno in MISTAKEN else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m preprocessing", description="Images to TFRecord datasets.")
    parser.add_argument("--version", action="version", version=f"alexnet_tf {VERSION}")
    verbs = parser.add_subparsers(dest="verb", required=True, parser_class=_Parser)
    for name in VERBS:
        importlib.import_module(f"preprocessing.verbs.{name}").add_parser(verbs)
    return parser


if __name__ == "__main__":
    sys.exit(main())
