"""Small conversions in this process, and what they leave."""

from preprocessing.images.convert import ImageOptions
from preprocessing.job.convert import convert
from preprocessing.job.request import Conversion
from preprocessing.job.runners import beam_options

IN_MEMORY = ["--direct_running_mode=in_memory"]
SMALL = ImageOptions(size=16)


def run(folder, output, source="ilsvrc2012", images=SMALL, **values):
    values.setdefault("shards", {"train": 3, "validation": 2} if source == "ilsvrc2012" else {})
    asked = Conversion(source, str(folder), str(output), images, **values)
    return convert(asked, beam_options(IN_MEMORY))


def tree(folder):
    """Relative path -> bytes of every file."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
