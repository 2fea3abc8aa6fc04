"""python -m preprocessing inspect: its arguments and its call."""

import argparse

from preprocessing.storage.choose import files_for
from preprocessing.storage.files import LocalFiles
from preprocessing.verbs.option_values import check_path


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("inspect", help="describe a dataset")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("directory")
    # --pictures is its former name.
    add("--images", "--pictures", metavar="FILE.png", help="write a sheet of images")
    add("--count", type=int, default=40, help="of the images on the sheet (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Describes the dataset; draws a contact sheet if asked."""
    from preprocessing.inspection.contact_sheet import draw_contact_sheet
    from preprocessing.inspection.describe import describe, first_images
    from preprocessing.inspection.verify import load_info

    check_path("DIRECTORY", arguments.directory)
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
