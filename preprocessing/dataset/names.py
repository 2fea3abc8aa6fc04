"""The names of a dataset's files and splits."""

import re

INFO_FILE = "dataset_info.json"
MEAN_FILE = "mean_image.npy"
MEAN_IMAGE = "mean_image.png"
REJECTS_FILE = "rejects.jsonl"
OTHER_FILES = (MEAN_FILE, MEAN_IMAGE, REJECTS_FILE)  # beside the shards
SPLITS = ("train", "validation", "test")

_SHARD_NAME = re.compile(r"(train|validation|test)-(\d{5,})-of-(\d{5,})", re.ASCII)


def shard_name(split: str, index: int, count: int) -> str:
    """The file name of a shard, for instance "train-00000-of-01024"."""
    if split not in SPLITS or not 0 <= index < count:
        raise ValueError(
            f"expected a split of {SPLITS} and 0 <= index < count. "
            f"Received: split={split!r}, index={index}, count={count}"
        )
    return f"{split}-{index:05d}-of-{count:05d}"


def parse_shard_name(name: str) -> tuple[str, int, int]:
    """The inverse of shard_name: (split, index, count). Raises ValueError for any other name."""
    match = _SHARD_NAME.fullmatch(name)
    if match:
        split, index, count = match[1], int(match[2]), int(match[3])
        if index < count and shard_name(split, index, count) == name:
            return split, index, count
    raise ValueError(f"expected a shard's name such as train-00000-of-01024. Received: {name!r}")


def is_shard_name(name: str) -> bool:
    """Whether a file could be a shard, by its name."""
    try:
        parse_shard_name(name)
    except ValueError:
        return False
    return True
