"""After the work of a conversion: its shards become a dataset.

Until all is done everything stands in a working folder inside the output directory. Then the
shards are moved out and dataset_info.json is written, last. A dataset that is to be replaced stays
complete until the new one is.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from preprocessing.dataset.info import DatasetInfo, Shard, StoredFile, serialize_info
from preprocessing.dataset.names import (
    INFO_FILE,
    REJECTS_FILE,
    parse_shard_name,
)
from preprocessing.errors import JobError
from preprocessing.images.statistics import PixelStatistics
from preprocessing.job.other_files import other_files, reject_lines
from preprocessing.job.plan import ShardTask
from preprocessing.job.request import Conversion, tool_versions
from preprocessing.job.shards import ShardResult, Workspace, read_result
from preprocessing.sources.listing import Listing, RejectEntry


@dataclass(frozen=True)
class Outcome:
    """What a finished conversion has made."""

    info: DatasetInfo
    files: Mapping[str, bytes]  # beside the shards and dataset_info.json, by name
    rejects: tuple[RejectEntry, ...]


def assemble(
    workspace: Workspace, conversion: Conversion, listing: Listing, tasks: Iterable[ShardTask]
) -> Outcome:
    """Gathers the results of all shards.

    Raises:
        JobError: too many rejects, or a shard's result does not fit the plan.
    """
    statistics = PixelStatistics(conversion.images.size)
    splits: dict[str, list[Shard]] = {}
    rejects = list(listing.rejects)
    total = len(rejects)
    for task in tasks:
        result = _result(workspace, task)
        total += task.images
        rejects += result.rejects
        splits.setdefault(parse_shard_name(task.name)[0], []).append(result.shard)
        if result.statistics:
            with workspace.files.open(workspace.statistics(task.name)) as file:
                statistics.merge(PixelStatistics.from_bytes(file.read()))
    _write_rejects(workspace, rejects)
    _check_rejects(workspace, conversion, rejects, total)
    if statistics.count == 0:
        raise JobError("expected training images, all of them were rejected")
    images = conversion.images
    files = other_files(statistics.mean_image(), rejects)
    info = DatasetInfo(
        source=conversion.source,
        image_size=images.size,
        encoding=images.encoding,
        jpeg_quality=images.quality if images.encoding == "jpeg" else None,
        resize_filter=images.filter,
        seed=conversion.seed,
        classes=listing.classes,
        splits={split: tuple(shards) for split, shards in splits.items()},
        color=statistics.color(),
        rejects=dict(sorted(Counter(entry.reason for entry in rejects).items())),
        tool_versions=tool_versions(),
        options={
            "apply_exif": images.apply_exif,
            "max_pixels": images.max_pixels,
            "validation_fraction": conversion.validation_fraction,
        },
        files={name: StoredFile.of(data) for name, data in files.items()},
    )
    return Outcome(info, files, tuple(rejects))


def _result(workspace: Workspace, task: ShardTask) -> ShardResult:
    result = read_result(workspace, task.name)
    if result is None or result.shard.examples + len(result.rejects) != task.images:
        raise JobError(
            f"expected {task.images} records and rejects of {task.name}, found "
            f"{'no result' if result is None else 'others'}; run the same command again"
        )
    return result


def _write_rejects(workspace: Workspace, rejects: Iterable[RejectEntry]) -> None:
    with workspace.files.create(workspace.path(REJECTS_FILE)) as file:
        file.write(reject_lines(rejects))


def _check_rejects(
    workspace: Workspace, conversion: Conversion, rejects: Sequence[RejectEntry], images: int
) -> None:
    if len(rejects) <= conversion.max_rejects * images:
        return
    counts = Counter(entry.reason for entry in rejects).most_common()
    reasons = ", ".join(f"{reason} {count}" for reason, count in counts)
    raise JobError(
        f"{len(rejects)} of {images} images were rejected ({reasons}), more than --max-rejects "
        f"{conversion.max_rejects:g} allows; they are listed in {workspace.path(REJECTS_FILE)}. "
        "Mend them, or run the same command with a larger --max-rejects: finished shards are kept"
    )


def publish(workspace: Workspace, outcome: Outcome) -> None:
    """Moves the finished dataset to its place; its dataset_info.json comes last.

    A run that is killed here is finished by the same command: shards are found in either place.
    """
    files, output = workspace.files, workspace.output
    info = serialize_info(outcome.info)
    with files.create(workspace.path(INFO_FILE)) as file:
        file.write(info)
    files.delete(files.join(output, INFO_FILE))  # from here on an older dataset is incomplete
    names = {shard.name for shards in outcome.info.splits.values() for shard in shards}
    for name in files.names(output):
        if _is_shard_name(name) and name not in names:
            files.delete(files.join(output, name))
    waiting = set(files.names(workspace.path("shards")))
    for name in sorted(names & waiting):
        files.move(workspace.shard(name), files.join(output, name))
    for name, data in outcome.files.items():
        with files.create(files.join(output, name)) as file:
            file.write(data)
    with files.create(files.join(output, INFO_FILE)) as file:
        file.write(info)
    files.delete_folder(workspace.folder)


def _is_shard_name(name: str) -> bool:
    try:
        parse_shard_name(name)
    except ValueError:
        return False
    return True
