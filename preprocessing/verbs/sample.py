"""python -m preprocessing sample: its arguments and its call."""

import argparse

from preprocessing.verbs.option_values import check_local, check_path, check_workers


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("sample", help="draw a small image set as ILSVRC2012 archives")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("--output", required=True, help="folder of the archives")
    add("--train-per-class", type=int, default=300, help="images (default: %(default)s)")
    add("--validation-per-class", type=int, default=50, help="images (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the images (default: %(default)s)")
    add("--workers", type=int, help="processes (default: one per core)")
    add("--overwrite", action="store_true", help="replace archives that are there")


def run(arguments: argparse.Namespace) -> int:
    """Draws the archives."""
    from preprocessing.sample.archives import draw_dataset

    check_path("--output", arguments.output)
    check_local("--output", arguments.output)
    check_workers(arguments.workers)
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
