"""After the work of a conversion: its shards become a dataset.

Until all is done everything stands in a working folder inside the output directory. Then the
shards are moved out and dataset_info.json is written, last. A dataset that is to be replaced stays
complete until the new one is.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal

from preprocessing.dataset.example import UNLABELLED
from preprocessing.dataset.info import ClassName, DatasetInfo, Shard, StoredFile, serialize_info
from preprocessing.dataset.names import (
    INFO_FILE,
    REJECTS_FILE,
    is_shard_name,
)
from preprocessing.errors import JobError
from preprocessing.images.statistics import PixelStatistics
from preprocessing.job.other_files import other_files, reject_lines
from preprocessing.job.plan import ShardTask
from preprocessing.job.request import Conversion, image_values, tool_versions
from preprocessing.job.shards import ShardResult, read_result
from preprocessing.job.workspace import JobFolder, Workspace
from preprocessing.sources.listing import RejectEntry

# Fields of ImageOptions that have a field of their own in dataset_info.json.
_NAMED = ("size", "encoding", "quality", "filter")


@dataclass(frozen=True)
class AssembledDataset:
    """What a finished conversion has made: everything about the dataset but its shards."""

    info: DatasetInfo
    files: Mapping[str, bytes]  # beside the shards and dataset_info.json, by name


def read_results(folder: JobFolder, tasks: Iterable[ShardTask]) -> dict[ShardTask, ShardResult]:
    """What came of each shard, in their order. Raises JobError if one does not fit the plan."""
    return {task: _result(folder, task) for task in tasks}


def count_work(results: Iterable[ShardResult], run: str) -> dict[str, int]:
    """What a run has done, by the results that bear its name; others were kept."""
    counts: Counter[str] = Counter()
    for result in results:
        if result.run != run:
            counts["shards kept"] += 1
            continue
        counts["shards made"] += 1
        counts["images"] += result.shard.examples
        counts["bytes read"] += result.source_bytes
        counts["bytes written"] += result.shard.bytes
        counts.update(f"rejects: {entry.reason}" for entry in result.rejects)
    return {name: count for name, count in counts.items() if count}


def assemble(
    folder: JobFolder,
    conversion: Conversion,
    classes: Sequence[ClassName],
    rejects: Iterable[RejectEntry],
    results: Mapping[ShardTask, ShardResult],
) -> AssembledDataset:
    """Puts the results of all shards together.

    Args:
        folder: of the job.
        conversion: what was asked for.
        classes: by label.
        rejects: those that were found before any image was read.
        results: of every shard.

    Raises:
        JobError: too many rejects, or a split of nothing else.
    """
    statistics = PixelStatistics(conversion.images.size)
    splits: dict[str, list[Shard]] = {}
    labels: dict[str, Counter[int]] = {}
    rejects = [*rejects, *(entry for result in results.values() for entry in result.rejects)]
    for task, result in results.items():
        splits.setdefault(task.split, []).append(result.shard)
        labels.setdefault(task.split, Counter()).update(result.labels)
        if result.statistics:
            with folder.files.open(folder.statistics(task.name)) as file:
                statistics.merge(PixelStatistics.from_bytes(file.read()))
    _write_rejects(folder, rejects)
    total = len(rejects) + sum(result.shard.examples for result in results.values())
    _check_rejects(folder, conversion, rejects, total)
    _check_splits(folder, splits)
    images = conversion.images
    files = other_files(statistics.mean_image(), rejects)
    info = DatasetInfo(
        source=conversion.source,
        image_size=images.size,
        encoding=images.encoding,
        jpeg_quality=images.quality if images.encoding == "jpeg" else None,
        resize_filter=images.filter,
        seed=conversion.seed,
        classes=tuple(classes),
        splits={split: tuple(shards) for split, shards in splits.items()},
        class_counts={
            split: tuple(counts[label] for label in range(len(classes)))
            for split, counts in labels.items()
            if set(counts) != {UNLABELLED}
        },
        color=statistics.color(),
        rejects=dict(sorted(Counter(entry.reason for entry in rejects).items())),
        tool_versions=tool_versions(),
        options={
            **{name: value for name, value in image_values(images).items() if name not in _NAMED},
            "validation_fraction": conversion.validation_fraction,
        },
        files={name: StoredFile.of(data) for name, data in files.items()},
    )
    return AssembledDataset(info, files)


def _result(folder: JobFolder, task: ShardTask) -> ShardResult:
    result = read_result(folder, task.name)
    if result is None or result.shard.examples + len(result.rejects) != task.images:
        raise JobError(
            f"expected {task.images} records and rejects of {task.name}, found "
            f"{'no result' if result is None else 'others'}; run the same command again"
        )
    return result


def _write_rejects(folder: JobFolder, rejects: Iterable[RejectEntry]) -> None:
    with folder.files.create(folder.path(REJECTS_FILE)) as file:
        file.write(reject_lines(rejects))


def _check_rejects(
    folder: JobFolder, conversion: Conversion, rejects: Sequence[RejectEntry], images: int
) -> None:
    if not rejects or len(rejects) / images <= conversion.max_rejects:
        return
    counts = Counter(entry.reason for entry in rejects).most_common()
    reasons = ", ".join(f"{reason} {count}" for reason, count in counts)
    first = rejects[0]
    raise JobError(
        f"{len(rejects)} of {images} images were rejected ({reasons}), more than --max-rejects "
        f"{conversion.max_rejects:g} allows; the first is {first.filename} in {first.where}, all "
        f"are listed in {folder.path(REJECTS_FILE)}. Mend them, or run the same command with a "
        f"larger --max-rejects, such as {_above(len(rejects), images)}: finished shards are kept"
    )


def _check_splits(folder: JobFolder, splits: Mapping[str, Sequence[Shard]]) -> None:
    """Raises JobError if all images of a split were rejected, however many --max-rejects allows."""
    for split, shards in splits.items():
        if not any(shard.examples for shard in shards):
            raise JobError(
                f"expected images of the split {split}, all of them were rejected: they are listed "
                f"in {folder.path(REJECTS_FILE)}. Mend them, or take the split out of --input"
            )


def _above(part: int, whole: int) -> str:
    """A fraction of one digit that is at least part / whole, also when both are floats.

    Rounded up from the exact ratio; and to turn both into floats cannot exchange their order.
    """
    return f"{Context(prec=1, rounding=ROUND_CEILING).divide(Decimal(part), Decimal(whole)):f}"


def publish(folder: JobFolder, dataset: AssembledDataset) -> None:
    """Moves the finished dataset to its place; its dataset_info.json comes last.

    A run that is killed here is finished by the same command: shards are found in either place.
    """
    files, output = folder.files, folder.output
    info = serialize_info(dataset.info)
    with files.create(folder.info) as file:
        file.write(info)
    files.delete(files.join(output, INFO_FILE))  # from here on an older dataset is incomplete
    names = {shard.name for shards in dataset.info.splits.values() for shard in shards}
    for name in files.names(output):
        if is_shard_name(name) and name not in names:
            files.delete(files.join(output, name))
    waiting = sorted(names.intersection(files.names(folder.path("shards"))))
    files.move_all([(folder.shard(name), files.join(output, name)) for name in waiting])
    for name, data in dataset.files.items():
        with files.create(files.join(output, name)) as file:
            file.write(data)
    with files.create(files.join(output, INFO_FILE)) as file:
        file.write(info)
    Workspace(files, output).tidy_up()
