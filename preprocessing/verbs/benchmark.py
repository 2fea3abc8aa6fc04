"""python -m preprocessing benchmark: its arguments and its call."""

import argparse
import os

from preprocessing.images.convert import FILTERS
from preprocessing.verbs.option_values import check_path, check_workers, image_options


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("benchmark", help="measure each step of a conversion")
    parser.set_defaults(run=run)
    add = parser.add_argument
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--input", help="folder of images; they are repeated until enough")
    what.add_argument(
        "--listing",
        type=int,
        metavar="N",
        help="measure instead what listing and planning N made-up images of an object store take",
    )
    add(
        "--images",
        type=int,
        nargs="+",
        default=[4000],
        metavar="N",
        help="images to convert; of several numbers, one conversion of each (default: 4000)",
    )
    add(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)"
    )
    default = "default: %(default)s"
    add("--image-size", type=int, default=256, help=f"side in pixels ({default})")
    add("--resize-filter", choices=tuple(FILTERS), default="area", help=default)
    add("--encoding", choices=("jpeg", "raw"), default="jpeg", help=default)
    add("--quality", type=int, default=95, help=f"of the JPEGs, 1..100 ({default})")


def run(arguments: argparse.Namespace) -> int:
    """Measures, and prints a table."""
    from preprocessing.benchmark.measure import measure
    from preprocessing.benchmark.report import report

    if arguments.listing is not None:
        from preprocessing.benchmark.listing import measure_listing

        print(measure_listing(arguments.listing).text())
        return 0
    check_path("--input", arguments.input)
    check_workers(arguments.workers)
    options = image_options(
        size=arguments.image_size,
        filter=arguments.resize_filter,
        encoding=arguments.encoding,
        quality=arguments.quality,
    )
    print(report(measure(arguments.input, arguments.images, arguments.workers, options)))
    return 0
