"""python -m preprocessing convert | verify | inspect | sample | benchmark

Exit codes: 0 done, 1 the job failed or a dataset is damaged, 2 a mistake in the call or its input.
"""

import argparse
import logging
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence

from preprocessing.errors import DatasetError, JobError, UserError
from preprocessing.images.convert import FILTERS, MAX_PIXELS, ImageOptions
from preprocessing.job.plan import parse_shard_counts
from preprocessing.job.request import Conversion
from preprocessing.sources.lister import SOURCES
from preprocessing.sources.reader import CIFAR_SIDE
from preprocessing.storage.files import LocalFiles

_CONVERT_EXAMPLES = """\
With no --runner, local processes do the work, one per core. The same command again goes on where an
interrupted one stopped. All further options are Beam's, for instance:
  --direct_running_mode in_memory
  --runner PortableRunner --job_endpoint HOST:8099 --environment_type LOOPBACK
  --runner FlinkRunner --flink_master HOST:8081 --setup_file ./setup.py
  --runner DataflowRunner --project P --region R --temp_location gs://B/tmp --setup_file ./setup.py
"""


class _Parser(argparse.ArgumentParser):
    """Reports a mistake in one line, without the whole usage before it."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit code."""
    arguments, rest = _parser().parse_known_args(argv)
    try:
        if rest and arguments.verb != "convert":
            raise DatasetError(f"unrecognized arguments: {' '.join(rest)}; see --help")
        code = arguments.run(arguments, rest)
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"preprocessing {arguments.verb}: {error}", file=sys.stderr)
        return 2
    except (JobError, OSError) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return 128 + signal.SIGPIPE  # as programs end that know nothing of it
        print(f"preprocessing {arguments.verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _nobody_reads() -> bool:
    """Whether the reader of standard output has gone, as `head` does; then it goes nowhere."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    gone = any(event & select.POLLERR for _, event in poll.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return gone


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m preprocessing", description="Images to TFRecord datasets.")
    verbs = parser.add_subparsers(dest="verb", required=True, parser_class=_Parser)
    _add_convert(verbs)
    _add_verify(verbs)
    _add_inspect(verbs)
    _add_sample(verbs)
    _add_benchmark(verbs)
    return parser


def _add_convert(verbs) -> None:
    convert = verbs.add_parser(
        "convert",
        help="make a dataset from archives or folders of images",
        epilog=_CONVERT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    convert.set_defaults(run=_convert)
    add = convert.add_argument
    add("--source", required=True, choices=SOURCES)
    add("--input", required=True, help="folder of the archives or images (cifar10: or archive)")
    add("--output", required=True, help="directory of the dataset; a local path or gs://, s3://, …")
    add(
        "--encoding",
        choices=("jpeg", "raw"),
        default="jpeg",
        help="raw: uint8 pixels, to read fast",
    )
    add("--image-size", type=int, help="side in pixels; 256, for cifar10 32")
    add("--resize-filter", choices=tuple(FILTERS), default="area")
    add("--quality", type=int, default=95, help="of the JPEGs, 1..100")
    add(
        "--shards",
        default="",
        help="such as train=1024,validation=128; default: one for each 128 "
        "images, at most 1024 (train) and 128",
    )
    add("--seed", type=int, default=0, help="of the order of the images and the held-out part")
    add(
        "--validation-fraction",
        type=float,
        default=0.1,
        help="of each class, held out if a folder source has no validation part",
    )
    add("--max-rejects", type=float, default=0.001, help="fraction of images that may fail")
    add(
        "--apply-exif",
        action="store_true",
        help="turn images as EXIF says; ImageNet users do not",
    )
    add("--max-pixels", type=int, default=MAX_PIXELS, help="a larger image is a reject")
    add(
        "--overwrite",
        action="store_true",
        help="replace the dataset, or the other unfinished "
        "conversion, that --output holds, once the new one is complete",
    )
    add("--workers", type=int, help="local processes; default: one per core")


def _convert(arguments: argparse.Namespace, beam_arguments: list[str]) -> int:
    logging.basicConfig(level=logging.ERROR)  # Beam warns of optional parts that are not needed
    from preprocessing.job.convert import convert  # it takes seconds to import
    from preprocessing.job.runners import beam_options

    size = arguments.image_size
    if size is None:
        size = CIFAR_SIDE if arguments.source == "cifar10" else 256
    images = _image_options(
        size=size,
        filter=arguments.resize_filter,
        encoding=arguments.encoding,
        quality=arguments.quality,
        apply_exif=arguments.apply_exif,
        max_pixels=arguments.max_pixels,
    )
    _check_range("--validation-fraction", arguments.validation_fraction, 0, 0.9)
    _check_range("--max-rejects", arguments.max_rejects, 0, 1)
    if arguments.workers is not None:
        _check_range("--workers", arguments.workers, 1, 10_000)
    conversion = Conversion(
        source=arguments.source,
        input=arguments.input,
        output=arguments.output,
        images=images,
        seed=arguments.seed,
        shards=parse_shard_counts(arguments.shards) if arguments.shards else {},
        validation_fraction=arguments.validation_fraction,
        max_rejects=arguments.max_rejects,
        overwrite=arguments.overwrite,
    )
    try:
        summary = convert(conversion, beam_options(beam_arguments, arguments.workers))
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    print(summary.text(arguments.output))
    return 0


def _check_range(option: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise DatasetError(f"expected {option} from {low} to {high}, received {value}")


def _add_verify(verbs) -> None:
    verify = verbs.add_parser("verify", help="read a whole dataset back and check it")
    verify.set_defaults(run=_verify)
    verify.add_argument("directory")
    verify.add_argument("--workers", type=int, help="processes; default: one per core")


def _verify(arguments: argparse.Namespace, rest: list[str]) -> int:
    from preprocessing.inspection.verify import load_info, verify_dataset

    files_for = _files_for(arguments.directory)
    info = load_info(arguments.directory, files_for)
    problems = verify_dataset(arguments.directory, files_for, arguments.workers)
    for problem in problems:
        print(problem)
    if problems:
        print(f"{arguments.directory} is damaged: {len(problems)} problems", file=sys.stderr)
        return 1
    counts = ", ".join(f"{split} {info.num_examples(split):,}" for split in info.splits)
    print(f"{arguments.directory} is sound: {counts}; fingerprint {info.fingerprint}")
    return 0


def _files_for(path: str) -> Callable:
    """Beam is imported only for paths that need it."""
    if "://" in path:
        from preprocessing.storage.beam_files import files_for

        return files_for
    from preprocessing.inspection.verify import local_files

    return local_files


def _add_inspect(verbs) -> None:
    inspect = verbs.add_parser("inspect", help="describe a dataset")
    inspect.set_defaults(run=_inspect)
    inspect.add_argument("directory")
    inspect.add_argument(
        "--images", "--pictures", metavar="FILE.png", help="write a sheet of images"
    )
    inspect.add_argument("--count", type=int, default=40, help="of the images on the sheet")


def _inspect(arguments: argparse.Namespace, rest: list[str]) -> int:
    from preprocessing.inspection.contact_sheet import draw_contact_sheet
    from preprocessing.inspection.describe import describe, first_images
    from preprocessing.inspection.verify import load_info

    files_for = _files_for(arguments.directory)
    info = load_info(arguments.directory, files_for)
    print(describe(info))
    if arguments.images:
        images, names = first_images(
            arguments.directory, info, files_for(arguments.directory), arguments.count
        )
        with LocalFiles().create(arguments.images) as file:
            file.write(draw_contact_sheet(images, names))
        print(f"wrote {len(images)} images to {arguments.images}")
    return 0


def _add_sample(verbs) -> None:
    sample = verbs.add_parser("sample", help="draw a small image set as ILSVRC2012 archives")
    sample.set_defaults(run=_sample)
    sample.add_argument("--output", required=True, help="folder of the archives")
    sample.add_argument("--train-per-class", type=int, default=300)
    sample.add_argument("--validation-per-class", type=int, default=50)
    sample.add_argument("--seed", type=int, default=0)
    sample.add_argument("--workers", type=int, help="processes; default: one per core")
    sample.add_argument("--overwrite", action="store_true", help="replace archives that are there")


def _sample(arguments: argparse.Namespace, rest: list[str]) -> int:
    from preprocessing.sample.archives import draw_dataset

    draw_dataset(
        arguments.output,
        arguments.train_per_class,
        arguments.validation_per_class,
        arguments.seed,
        arguments.workers,
        arguments.overwrite,
    )
    print(
        f"wrote the archives to {arguments.output}; next: python -m preprocessing convert "
        f"--source ilsvrc2012 --input {arguments.output} --output DIR"
    )
    return 0


def _add_benchmark(verbs) -> None:
    benchmark = verbs.add_parser("benchmark", help="measure each step of a conversion")
    benchmark.set_defaults(run=_benchmark)
    add = benchmark.add_argument
    add("--input", required=True, help="folder of images; they are repeated until enough")
    add(
        "--images",
        type=int,
        nargs="+",
        default=[4000],
        metavar="N",
        help="images to convert; of several numbers, one conversion of each",
    )
    add("--workers", type=int, default=os.cpu_count() or 1, help="default: one per core")
    add("--image-size", type=int, default=256)
    add("--resize-filter", choices=tuple(FILTERS), default="area")
    add("--encoding", choices=("jpeg", "raw"), default="jpeg")
    add("--quality", type=int, default=95)


def _benchmark(arguments: argparse.Namespace, rest: list[str]) -> int:
    from preprocessing.benchmark.measure import measure
    from preprocessing.benchmark.report import report

    _check_range("--workers", arguments.workers, 1, 10_000)
    options = _image_options(
        size=arguments.image_size,
        filter=arguments.resize_filter,
        encoding=arguments.encoding,
        quality=arguments.quality,
    )
    print(report(measure(arguments.input, arguments.images, arguments.workers, options)))
    return 0


def _image_options(**values) -> ImageOptions:
    try:
        return ImageOptions(**values)
    except ValueError as error:
        raise DatasetError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
