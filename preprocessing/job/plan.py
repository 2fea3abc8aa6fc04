"""The plan: which image stands in which shard, in which order.

Each split is put into one seeded random order, whatever the layout of its source, and cut into
shards of nearly equal size; so a sequential reader sees the classes mixed. Planning decides and
changes nothing; the plan is then written as one file, named by its content. What travels through
Beam is only where in it a shard's part stands, and the digest of that part.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from preprocessing.dataset.names import SPLITS, shard_name
from preprocessing.errors import DatasetError, ShardFailure
from preprocessing.sources.listing import ImageList, Listing, RejectEntry
from preprocessing.storage.files import Files

# ImageNet gets the customary 1024 and 128 shards; small sets get one for each 128 images.
IMAGES_PER_SHARD = 128
MOST_SHARDS = {"train": 1024, "validation": 128, "test": 128}


class ShardTask(NamedTuple):
    """A shard to make.

    Attributes:
        name: of its file.
        split: "train", "validation" or "test".
        images: how many it is made from.
        offset, length: in bytes, where its part of the plan's file stands.
        digest: SHA-256 of that part, in hex.
    """

    name: str
    split: str
    images: int
    offset: int
    length: int
    digest: str


@dataclass(frozen=True)
class SplitPlan:
    """One split's part of the plan.

    Attributes:
        split: its name.
        images: as they were listed.
        order: int64 [images]; indices into `images` in the order of the records.
        shards: how many the order is cut into.
    """

    split: str
    images: ImageList
    order: np.ndarray
    shards: int

    def parts(self) -> Iterator[tuple[str, ImageList]]:
        """(name, images) of each shard."""
        count = len(self.order)
        for index in range(self.shards):
            begin, end = (count * i // self.shards for i in (index, index + 1))
            name = shard_name(self.split, index, self.shards)
            yield name, self.images.selected(self.order[begin:end])


@dataclass(frozen=True)
class Plan:
    """What is to be done, decided and not yet begun.

    Attributes:
        splits: the plan of each split, in the order of SPLITS.
        tasks: the shards, in the order of their parts in the plan's file.
        rejects: images that are in no shard, as their name and class came before.
    """

    splits: tuple[SplitPlan, ...]
    tasks: tuple[ShardTask, ...]
    rejects: tuple[RejectEntry, ...]

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of all parts' digests; names the plan's file."""
        return hashlib.sha256("".join(task.digest for task in self.tasks).encode()).hexdigest()

    @property
    def shard_counts(self) -> dict[str, int]:
        """Number of shards by split."""
        return {part.split: part.shards for part in self.splits}


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


def make_plan(listing: Listing, counts: Mapping[str, int], seed: int) -> Plan:
    """Decides everything and changes nothing.

    Args:
        listing: what the source holds.
        counts: number of shards by split, where it is not the default.
        seed: of the order.

    Raises:
        DatasetError: a split has no images, or more shards than images.
    """
    for split in counts:
        if split not in listing.splits:
            raise DatasetError(f"expected --shards for {', '.join(listing.splits)}; got {split!r}")
    splits: list[SplitPlan] = []
    rejects: list[RejectEntry] = []
    for split in SPLITS:
        if split not in listing.splits:
            continue
        order, repeated = shard_order(listing, split, seed)
        rejects += repeated
        count = counts.get(split) or default_shard_count(split, len(order))
        if count > len(order):
            raise DatasetError(
                f"expected at most {len(order)} shards, one for each image of the split "
                f"{split}; received {count}"
            )
        splits.append(SplitPlan(split, listing.splits[split], order, count))
    return Plan(tuple(splits), tuple(_tasks(splits)), tuple(rejects))


def shard_order(listing: Listing, split: str, seed: int) -> tuple[np.ndarray, list[RejectEntry]]:
    """Indices of a split's images in their seeded order; the same name twice is a reject.

    The order depends on nothing but the seed and the images' classes and names.
    """
    images = listing.splits[split]
    hashes = listing.order_hashes(split, seed)
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    same_hash = np.flatnonzero(hashes[1:] == hashes[:-1]) + 1
    repeated, rejects = [], []
    for position in same_hash:
        first, second = images[order[position - 1]], images[order[position]]
        if listing.order_key(split, first) == listing.order_key(split, second):
            repeated.append(position)
            where = listing.containers[second.container].path
            detail = "the same name and class as an earlier one"
            rejects.append(RejectEntry(split, second.name, where, "repeated-name", detail))
    return np.delete(order, repeated), rejects


def _tasks(splits: list[SplitPlan]) -> Iterator[ShardTask]:
    offset = 0
    for part in splits:
        for name, images in part.parts():
            data = images.to_bytes()
            digest = hashlib.sha256(data).hexdigest()
            yield ShardTask(name, part.split, len(images), offset, len(data), digest)
            offset += len(data)


def write_plan(files: Files, path: str, plan: Plan) -> None:
    """Writes the plan's file; one that is there may be damaged."""
    with files.create(path) as file:
        for part in plan.splits:
            for _, images in part.parts():
                file.write(images.to_bytes())


def read_plan(files: Files, path: str, task: ShardTask) -> ImageList:
    """The images of one shard, in order.

    Raises:
        ShardFailure: the file holds something else.
        OSError: it cannot be read.
    """
    with files.open(path) as file:
        file.seek(task.offset)
        data = file.read(task.length)
    if hashlib.sha256(data).hexdigest() != task.digest:
        raise ShardFailure(f"expected the plan of {task.name} in {path}, found other bytes")
    return ImageList.from_bytes(data)
