"""A dataset in words and images: what ``python -m preprocessing inspect`` shows."""

import io
from collections.abc import Iterator

import numpy as np
import PIL.Image

from preprocessing.dataset.example import Record, decode_example
from preprocessing.dataset.info import DatasetInfo
from preprocessing.dataset.printable import counted, printable
from preprocessing.dataset.tfrecord import RecordError, read_records
from preprocessing.errors import DatasetError
from preprocessing.inspection.records import check_record
from preprocessing.storage.files import Files

_MOST_CLASSES = 30


def describe(info: DatasetInfo) -> str:
    """A readable summary, several lines; names from the input are escaped."""
    quality = f", quality {info.jpeg_quality}" if info.encoding == "jpeg" else ""
    side = info.image_size
    lines = [
        f"source        {info.source}, seed {info.seed}, format version {info.format_version}",
        f"images        {side} x {side}, {info.encoding}{quality}, resized by {info.resize_filter}",
    ]
    for split, shards in info.splits.items():
        size = sum(shard.bytes for shard in shards)
        lines.append(
            f"{split:<13} {counted(info.num_examples(split), 'example')} in "
            f"{counted(len(shards), 'shard')}, {size / 1e6:,.1f} MB"
        )
    rejects = ", ".join(f"{reason} {count}" for reason, count in info.rejects.items())
    lines.append(f"rejects       {rejects or 'none'}")
    lines += _color(info)
    lines += _classes(info)
    tools = ", ".join(f"{tool} {version}" for tool, version in info.tool_versions.items())
    options = ", ".join(f"{name} {value}" for name, value in info.options.items())
    lines += [
        f"made with     {tools}",
        f"options       {options}",
        f"fingerprint   {info.fingerprint}",
    ]
    return "\n".join(map(printable, lines))


def _color(info: DatasetInfo) -> list[str]:
    """Color statistics of the training split, in grey levels."""
    color = info.color
    mean = ", ".join(f"{value:.3f}" for value in color.mean_rgb)
    lines = [f"mean RGB      {mean}  (training split, grey levels 0..255)"]
    for j in reversed(range(3)):
        vector = ", ".join(f"{color.eigenvectors[c][j]:+.4f}" for c in range(3))
        lines.append(
            f"color axis {3 - j}  standard deviation {color.stddevs[j]:.3f} along ({vector})"
        )
    return lines


def _classes(info: DatasetInfo) -> list[str]:
    """A line for each of the first classes, with its images; then which have most and fewest."""
    names = [
        name.synset if name.text == name.synset else f"{name.synset}  {name.text}"
        for name in info.classes
    ]
    lines = [f"classes       {len(names)}"]
    shown = names[:_MOST_CLASSES]
    width = max(map(len, shown), default=0) if info.class_counts else 0
    for label, name in enumerate(shown):
        counts = ", ".join(
            f"{split} {numbers[label]:,}" for split, numbers in info.class_counts.items()
        )
        lines.append(f"  {label:>5}  {name:<{width}}  {counts}".rstrip())
    if len(names) > _MOST_CLASSES:
        lines.append(f"  ... and {len(names) - _MOST_CLASSES:,} more")
    for split, numbers in info.class_counts.items():
        fewest, most = (numbers.index(extreme(numbers)) for extreme in (min, max))
        span = f"{numbers[most]:,}"
        if numbers[fewest] != numbers[most]:
            span = f"{numbers[fewest]:,} ({names[fewest]}) to {span} ({names[most]})"
        lines.append(f"{split:<13} {span} images a class")
    return lines


def first_images(
    directory: str, info: DatasetInfo, files: Files, count: int
) -> tuple[list[np.ndarray], list[str]]:
    """The first images of the training split, uint8 [N, N, 3], and their class names.

    Raises:
        DatasetError: they cannot be read, or count is not positive.
    """
    if count < 1:
        raise DatasetError(f"expected --count of at least 1, received {count}")
    images, names = [], []
    try:
        for record in _records(directory, info, files):
            check_record(record, info, labelled=True)
            images.append(_pixels(record, info.image_size))
            names.append(record.text)
            if len(images) == count:
                break
    except (RecordError, ValueError, OSError) as error:
        raise DatasetError(f"cannot read the images of {directory}: {error}") from error
    if not images:
        raise DatasetError(f"expected images in the split train of {directory}, found none")
    return images, names


def _records(directory: str, info: DatasetInfo, files: Files) -> Iterator[Record]:
    for shard in info.splits["train"]:
        with files.open(files.join(directory, shard.name)) as file:
            yield from map(decode_example, read_records(file))


def _pixels(record: Record, size: int) -> np.ndarray:
    """uint8 [size, size, 3] of a checked record."""
    if record.format == "raw":
        return np.frombuffer(record.encoded, np.uint8).reshape(size, size, 3)
    with PIL.Image.open(io.BytesIO(record.encoded), formats=["JPEG"]) as image:
        return np.asarray(image)
