"""`data.cache`: the records of a split nearer by than the dataset's own files.

Nothing else changes: crops are drawn anew every epoch, and the order of records, what each worker
and replica gets, and a restart in mid-epoch are those of an uncached split.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from tqdm import tqdm

from alexnet_tf.data.crops import blank
from alexnet_tf.data.memory import filled
from alexnet_tf.data.split import Split
from alexnet_tf.data.verification import check_names, compare_all
from alexnet_tf.errors import MISTAKEN, ConfigError, DatasetError, JobError
from preprocessing.dataset.atomic import replacing
from preprocessing.dataset.info import Shard

KEPT_FREE = 0.1  # of the free memory or disk, for everybody else
PIECE = 4 << 20  # bytes copied at a time


def cached(split: Split, kind: str) -> Split:
    """The split, read from where `data.cache` says: "none", "memory", "pixels" or "disk".

    Raises ConfigError where it does not fit or may not be, DatasetError for a damaged shard,
    JobError where the disk would not.
    """
    if kind == "none":
        return split
    return _on_disk(split) if kind == "disk" else _in_memory(split, kind)


def directory() -> Path:
    """Where copies of shards are: $ALEXNET_TF_CACHE, or alexnet_tf in the user's cache.

    Raises ConfigError: the user has none.
    """
    if given := os.environ.get("ALEXNET_TF_CACHE"):
        return Path(given)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alexnet_tf"
    except RuntimeError as error:
        raise ConfigError(
            "data.cache: disk expects a home directory, or ALEXNET_TF_CACHE to name a directory,"
            " received neither"
        ) from error


def _in_memory(split: Split, kind: str) -> Split:
    """The shards' records in tensors; an epoch's order is then made of their numbers."""
    shards = split.shards
    pixels = kind == "pixels" or split.info.encoding == "raw"
    count = sum(shard.examples for shard in shards)
    needed = sum(shard.bytes for shard in shards)
    if pixels:
        needed = (count + 1) * 3 * split.info.image_size**2
    _check_fits(needed, available_memory(), kind, "of memory")
    check_names(split)
    with tf.device("CPU:0"), _progress(split, "reading into memory") as bar:

        def advance(size: int) -> None:
            bar.update(size)

        @tf.autograph.experimental.do_not_convert
        def read(path: tf.Tensor, size: tf.Tensor) -> tf.data.Dataset:
            with tf.control_dependencies([tf.numpy_function(advance, [size], [])]):
                return split.records(tf.identity(path))

        sizes = [shard.bytes for shard in shards]
        files = tf.data.Dataset.from_tensor_slices((split.paths[: len(shards)], sizes))
        try:
            memory = filled(files.flat_map(read), count, split.info, pixels, blank(split.info))
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            raise DatasetError(
                f"expected whole records in the shards of {split.name} in {split.directory},"
                f" received a damaged one ({type(error).__name__});"
                " see python -m preprocessing verify"
            ) from error
    if memory is None:
        raise DatasetError(
            f"expected {count} records in the shards of {split.name} in {split.directory},"
            " found another number; see python -m preprocessing verify"
        )
    compare_all(split)
    return dataclasses.replace(split, memory=memory)


def _on_disk(split: Split) -> Split:
    """Copies of the shards in a directory named after the dataset's fingerprint.

    Copies that are there already are kept, so an interrupted copying goes on; each appears under
    its name only when it is whole and its checksum right.
    """
    target = directory() / split.info.fingerprint
    shards = split.shards
    try:
        missing = [shard for shard in shards if not _is_copy(target / shard.name, shard)]
        target.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target).free
        _check_fits(sum(shard.bytes for shard in missing), free, "disk", f"in {target}")
        with _progress(split, f"copying to {target}") as bar:
            bar.update(sum(shard.bytes for shard in shards if shard not in missing))
            for shard in missing:
                _copy(Path(split.directory) / shard.name, target / shard.name, shard, bar.update)
    except OSError as error:
        kind = ConfigError if error.errno in MISTAKEN else JobError
        raise kind(f"data.cache: disk: cannot copy to {target}: {error}") from error
    return dataclasses.replace(split, directory=target, copied=True)


def _is_copy(path: Path, shard: Shard) -> bool:
    return path.is_file() and path.stat().st_size == shard.bytes


def _copy(source: Path, target: Path, shard: Shard, copied: Callable[[int], None]) -> None:
    """Checked before it gets its name; several workers may copy the same shard."""
    digest = hashlib.sha256()
    with source.open("rb") as reading, replacing(target) as writing:
        while piece := reading.read(PIECE):
            digest.update(piece)
            writing.write(piece)
            copied(len(piece))
        if digest.hexdigest() != shard.checksum:
            raise DatasetError(
                f"expected {source} as dataset_info.json describes it, received other bytes;"
                " see python -m preprocessing verify"
            )


def _check_fits(needed: int, free: int | None, kind: str, where: str) -> None:
    if free is not None and needed > (1 - KEPT_FREE) * free:
        raise ConfigError(
            f"data.cache: {kind} expects {needed / 1e9:.1f} GB {where}, received"
            f" {(1 - KEPT_FREE) * free / 1e9:.1f} GB; choose another data.cache"
            + (", or another disk by ALEXNET_TF_CACHE" if kind == "disk" else "")
        )


def available_memory() -> int | None:
    """Bytes that this process may still take; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvail"))
    except (OSError, StopIteration):
        return None
    try:  # a container's own limit
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = int((group / "memory.current").read_text(encoding="ascii"))
        rows = map(str.split, (group / "memory.stat").read_text(encoding="ascii").splitlines())
        used -= int(dict(rows)["inactive_file"])  # given up when others need it
    except (OSError, KeyError):
        return free
    return free if limit == "max" else min(free, int(limit) - used)


def _progress(split: Split, what: str) -> tqdm:
    total = sum(shard.bytes for shard in split.shards)
    title = f"{split.name}: {what}"
    options = {"unit": "B", "unit_scale": True, "mininterval": 1}
    return tqdm(total=total, desc=title, disable=None, **options)  # on a terminal alone
