"""The plan: which image stands in which shard, in which order.

Each split is put into one seeded random order, whatever the layout of its source, and cut into
shards of nearly equal size; so a sequential reader sees the classes mixed. The plan is one file;
what travels through Beam is only where in it a shard's part stands.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from preprocessing.dataset.names import SPLITS, shard_name
from preprocessing.errors import DatasetError
from preprocessing.sources.listing import ImageList, Listing, RejectEntry, seeded_hashes
from preprocessing.storage.files import Files

# ImageNet gets the customary 1024 and 128 shards; small sets get one for each 128 images.
IMAGES_PER_SHARD = 128
MOST_SHARDS = {"train": 1024, "validation": 128, "test": 128}


class ShardTask(NamedTuple):
    """A shard to make: its name, its number of images, and where its part of the plan stands."""

    name: str
    images: int
    offset: int
    length: int


def parse_shard_counts(text: str) -> dict[str, int]:
    """Parses "train=1024,validation=128". Raises DatasetError for anything else."""
    counts = {}
    for part in text.split(","):
        split, _, count = part.partition("=")
        if split not in SPLITS or not count.isascii() or not count.isdigit() or int(count) < 1:
            raise DatasetError(f"expected --shards such as train=1024,validation=128; got {text!r}")
        counts[split] = int(count)
    return counts


def default_shard_count(split: str, images: int) -> int:
    """One shard for each 128 images, but at most 1024 (train) or 128 (validation, test)."""
    return min(MOST_SHARDS[split], max(1, math.ceil(images / IMAGES_PER_SHARD)))


def shard_order(listing: Listing, split: str, seed: int) -> np.ndarray:
    """Indices of a split's images in their seeded order; the same name twice is a reject.

    The order depends on nothing but the seed and the images' classes and names. The rejects are
    appended to the listing's.
    """
    images = listing.splits[split]
    hashes = seeded_hashes(seed, (listing.order_key(split, ref) for ref in images))
    order = np.argsort(hashes, kind="stable")
    same_hash = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]]) + 1
    repeated = []
    for position in same_hash:
        first, second = images[order[position - 1]], images[order[position]]
        if listing.order_key(split, first) == listing.order_key(split, second):
            repeated.append(position)
            where = listing.containers[second.container].path
            detail = "the same name and class as an earlier one"
            listing.rejects.append(RejectEntry(split, second.name, where, "repeated-name", detail))
    return np.delete(order, repeated)


def write_plan(
    files: Files, path: str, listing: Listing, counts: Mapping[str, int], seed: int
) -> list[ShardTask]:
    """Writes the plan and returns its shards, those of one split in order.

    Raises:
        DatasetError: a split has no images, or more shards than images.
    """
    tasks: list[ShardTask] = []
    for split in counts:
        if split not in listing.splits:
            raise DatasetError(f"expected --shards for {', '.join(listing.splits)}; got {split!r}")
    with files.create(path) as file:
        for split in SPLITS:
            if split not in listing.splits:
                continue
            order = shard_order(listing, split, seed)
            count = counts.get(split) or default_shard_count(split, len(order))
            if count > len(order):
                raise DatasetError(
                    f"expected at most {len(order)} shards, one for each image of the split "
                    f"{split}; received {count}"
                )
            for index in range(count):
                begin, end = (len(order) * i // count for i in (index, index + 1))
                data = listing.splits[split].selected(order[begin:end]).to_bytes()
                offset = tasks[-1].offset + tasks[-1].length if tasks else 0
                name = shard_name(split, index, count)
                tasks.append(ShardTask(name, end - begin, offset, len(data)))
                file.write(data)
    return tasks


def read_plan(files: Files, path: str, task: ShardTask) -> ImageList:
    """The images of one shard, in order."""
    with files.open(path) as file:
        file.seek(task.offset)
        return ImageList.from_bytes(file.read(task.length))
