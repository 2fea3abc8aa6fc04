"""python -m preprocessing verify: its arguments and its call."""

import argparse
import sys

from preprocessing.dataset.printable import printable
from preprocessing.storage.choose import files_for
from preprocessing.verbs.option_values import check_path, check_workers


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("verify", help="read a whole dataset back and check it")
    parser.set_defaults(run=run)
    parser.add_argument("directory")
    parser.add_argument("--workers", type=int, help="processes (default: one per core)")


def run(arguments: argparse.Namespace) -> int:
    """Verifies; prints a line for each problem."""
    from preprocessing.inspection.verify import load_info, verify_dataset

    check_path("DIRECTORY", arguments.directory)
    check_workers(arguments.workers)
    info = load_info(arguments.directory, files_for)
    problems = verify_dataset(arguments.directory, files_for, arguments.workers)
    for problem in problems:
        print(printable(problem))
    if problems:
        print(f"{arguments.directory} is damaged: {len(problems)} problems", file=sys.stderr)
        return 1
    if info.format_version == 1:
        print(
            "its format version, 1, has no checksums of the files beside the shards: the mean "
            "image was compared with the color statistics; convert again for more",
            file=sys.stderr,
        )
    counts = ", ".join(f"{split} {info.num_examples(split):,}" for split in info.splits)
    print(f"{arguments.directory} is sound: {counts}; fingerprint {info.fingerprint}")
    return 0
