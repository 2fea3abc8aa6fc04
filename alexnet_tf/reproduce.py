"""python -m alexnet_tf.reproduce: puts claims of the paper to the test, and reports on them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from alexnet_tf import cli
from alexnet_tf.errors import ConfigError
from alexnet_tf.reproduction import claim_files, report
from alexnet_tf.reproduction.claim_parts import SCALES
from alexnet_tf.reproduction.listing import listing
from alexnet_tf.reproduction.reproduce import Request, reproduce
from preprocessing.dataset.printable import counted

REPORT = "report"  # in the place of a claim


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    names = list(dict.fromkeys(arguments.claims))
    if arguments.list:
        print(listing([claim_files.find(name) for name in names or claim_files.names()]))
        return 0
    if names[:1] == [REPORT]:
        return _report(arguments)
    if not names:
        raise ConfigError("expected a claim (see --list), or report and directories")
    claims = [claim_files.find(name) for name in names]
    if arguments.data is None or arguments.output is None:
        raise ConfigError("expected --data and --output beside a claim")
    if arguments.page is not None:
        raise ConfigError("--page: expected beside report alone")
    if arguments.seeds is not None and arguments.seeds < 1:
        raise ConfigError(f"--seeds: expected at least 1, received {arguments.seeds}")
    if arguments.jobs < 1:
        raise ConfigError(f"--jobs: expected at least 1, received {arguments.jobs}")
    output = Path(arguments.output)
    runs = Path(arguments.runs) if arguments.runs else output / "runs"
    chosen = {
        name: getattr(arguments, name)
        for name in ("data", "scale", "seeds", "until_decided", "jobs")
    }
    return reproduce(claims, Request(output=output, runs=runs, **chosen))


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(
        prog="python -m alexnet_tf.reproduce",
        description=__doc__,
        epilog="The same command goes on with what was interrupted. A claim is a file in"
        " configs/claims, and may be named by its path.",
    )
    parser.add_argument(
        "claims", nargs="*", metavar="CLAIM", help="claims; or: report, and directories of --output"
    )
    parser.add_argument("--list", action="store_true", help="the claims (those named), and end")
    parser.add_argument("--data", help="dataset directory made by preprocessing")
    parser.add_argument("--output", help="directory for outcomes, results and runs")
    parser.add_argument("--runs", help="directory for the runs, which are large; OUTPUT/runs")
    parser.add_argument("--scale", choices=SCALES, default="full", help="default: full")
    parser.add_argument("--seeds", type=int, help="of each arm; default: as many as a claim says")
    parser.add_argument(
        "--until-decided",
        action="store_true",
        help="no further seeds, from 2 on, of a claim that is decided by a wide margin",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="trainings at once, each on its share of the cores; default: 1",
    )
    parser.add_argument("--page", help="the report's file; default: reproduction.md in the first")
    return parser


def _report(arguments: argparse.Namespace) -> int:
    directories = arguments.claims[1:]
    if not directories:
        raise ConfigError("report: expected directories that reproduce wrote its results in")
    given = (arguments.data, arguments.output, arguments.runs, arguments.seeds)
    if any((*given, arguments.until_decided)):
        raise ConfigError("report: expected directories and --page alone")
    path = Path(arguments.page or Path(directories[0]) / "reproduction.md")
    with cli.writing(path):
        count = report.write(directories, path)
    print(f"report of {counted(count, 'result')}: {path}")
    return 0


if __name__ == "__main__":
    cli.run(main)
