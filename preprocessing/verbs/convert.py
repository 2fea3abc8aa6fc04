"""python -m preprocessing convert: its arguments and its call."""

import argparse
import dataclasses
import sys

from preprocessing.images.convert import FILTERS, MAX_PIXELS, ImageOptions
from preprocessing.job.plan import parse_shard_counts
from preprocessing.job.request import Conversion, option_of
from preprocessing.sources.list_source import SOURCES
from preprocessing.sources.reader import CIFAR_SIDE
from preprocessing.storage.choose import absolute
from preprocessing.verbs.option_values import check_path, check_range, check_workers, image_options

_DEFAULT = "(default: %(default)s)"
_EXAMPLES = """\
With no --runner, local processes do the work, one per core. The same command again goes on where an
interrupted one stopped. All further options are Beam's, for instance:
  --direct_running_mode in_memory
  --runner PortableRunner --job_endpoint HOST:8099 --environment_type LOOPBACK
  --runner FlinkRunner --flink_master HOST:8081 --setup_file ./setup.py
  --runner DataflowRunner --project P --region R --temp_location gs://B/tmp --setup_file ./setup.py
"""


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "convert",
        help="make a dataset from archives or folders of images",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, takes_beam_options=True)
    add = parser.add_argument
    add("--source", required=True, choices=SOURCES, help="what --input holds")
    add("--input", required=True, help="folder of the archives or images (cifar10: or archive)")
    add("--output", required=True, help="directory of the dataset; a local path or gs://, s3://, …")
    add(
        "--encoding",
        choices=("jpeg", "raw"),
        help="raw: uint8 pixels, to read fast (default: jpeg, for cifar10 raw, as they come)",
    )
    add("--image-size", type=int, help="side in pixels (default: 256, for cifar10 32)")
    add(
        "--resize-filter",
        choices=tuple(FILTERS),
        default="area",
        help=f"area: the mean of the covered pixels, bicubic where an image has to grow {_DEFAULT}",
    )
    add("--quality", type=int, default=95, help=f"of the JPEGs, 1..100 {_DEFAULT}")
    add(
        "--shards",
        default="",
        help="such as train=1024,validation=128 (default: one for each 128 images, at most 1024 "
        "for train and 128 for others)",
    )
    add(
        "--seed",
        type=int,
        default=0,
        help=f"of the order of the images and the held-out part {_DEFAULT}",
    )
    add(
        "--validation-fraction",
        type=float,
        default=0.1,
        help=f"of each class, held out if a folder source has no validation part {_DEFAULT}",
    )
    add(
        "--max-rejects",
        type=float,
        default=0.001,
        help=f"fraction of images that may fail {_DEFAULT}",
    )
    add(
        "--apply-exif",
        action=argparse.BooleanOptionalAction,
        help="turn images upright as EXIF says (default: for --source folder; the others are used "
        "without)",
    )
    add(
        "--follow-links",
        action="store_true",
        help="take folders of the input that are links, wherever they lead",
    )
    add(
        "--max-pixels",
        type=int,
        default=MAX_PIXELS,
        help=f"a larger image is a reject {_DEFAULT}",
    )
    add(
        "--overwrite",
        action="store_true",
        help="replace the dataset, or the other unfinished "
        "conversion, that --output holds, once the new one is complete",
    )
    add("--workers", type=int, help="local processes (default: one per core)")


def run(arguments: argparse.Namespace, beam_arguments: list[str]) -> int:
    """Converts; prints a summary."""
    conversion = _conversion(arguments)
    from preprocessing.job.convert import convert  # it takes seconds to import
    from preprocessing.job.runners import beam_options

    try:
        summary = convert(conversion, beam_options(beam_arguments, arguments.workers))
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    print(summary.text(arguments.output))
    return 0


def _conversion(arguments: argparse.Namespace) -> Conversion:
    """What the arguments ask for. Raises DatasetError for values out of range."""
    check_path("--input", arguments.input)
    check_path("--output", arguments.output)
    cifar = arguments.source == "cifar10"  # small pictures that no JPEG has changed yet
    if arguments.encoding is None:
        arguments.encoding = "raw" if cifar else "jpeg"
    if arguments.image_size is None:
        arguments.image_size = CIFAR_SIDE if cifar else 256
    if arguments.apply_exif is None:
        arguments.apply_exif = arguments.source == "folder"
    images = {
        field.name: getattr(arguments, option_of(field.name)[2:].replace("-", "_"))
        for field in dataclasses.fields(ImageOptions)
    }
    options = image_options(**images)
    check_range("--validation-fraction", arguments.validation_fraction, 0, 0.9)
    check_range("--max-rejects", arguments.max_rejects, 0, 1)
    check_workers(arguments.workers)
    return Conversion(
        source=arguments.source,
        input=absolute(arguments.input),
        output=absolute(arguments.output),
        images=options,
        seed=arguments.seed,
        shards=parse_shard_counts(arguments.shards) if arguments.shards else {},
        validation_fraction=arguments.validation_fraction,
        follow_links=arguments.follow_links,
        max_rejects=arguments.max_rejects,
        overwrite=arguments.overwrite,
    )
