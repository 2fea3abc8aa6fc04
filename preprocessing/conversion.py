"""What surrounds the work of a conversion: may it start here, is it the same job, its end.

Until all is done everything stands in a working folder inside the output directory. Then the
shards are moved out and dataset_info.json is written, last. A dataset that is to be replaced stays
complete until the new one is.
"""

import dataclasses
import importlib.metadata
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL
import PIL.features
import PIL.Image

from preprocessing.dataset import (
    FORMAT_VERSION,
    INFO_FILE,
    MEAN_FILE,
    MEAN_PICTURE,
    REJECTS_FILE,
    DatasetError,
    DatasetInfo,
    Shard,
    parse_shard_name,
    serialize_info,
)
from preprocessing.images import ImageOptions
from preprocessing.listing import Listing, RejectEntry
from preprocessing.plan import ShardTask
from preprocessing.shards import Job, ShardResult, Workspace, read_result
from preprocessing.statistics import PixelStatistics


class JobError(Exception):
    """The conversion failed, through no misuse; ``str()`` is the one line to show."""


@dataclass(frozen=True)
class Conversion:
    """What the user asked for.

    Attributes:
        source: "ilsvrc2012", "folder" or "cifar10".
        input: the source's path; output: the dataset's directory.
        images: how each picture is converted.
        seed: of the order of the pictures, and of the held-out part.
        shards: number of shards by split, where it is not the default.
        validation_fraction: of each class's pictures, held out where a folder has no validation.
        max_rejects: fraction of all pictures; more rejects fail the job.
        overwrite: replace the dataset, or the other unfinished conversion, that output holds.
    """

    source: str
    input: str
    output: str
    images: ImageOptions
    seed: int = 0
    shards: Mapping[str, int] = field(default_factory=dict)
    validation_fraction: float = 0.1
    max_rejects: float = 0.001
    overwrite: bool = False


def tool_versions() -> dict[str, str]:
    """Versions of the libraries that determine the bytes of a dataset."""
    jpeg = PIL.features.version("libjpeg_turbo") or PIL.features.version("jpg") or "unknown"
    return {
        "pillow": PIL.__version__,
        "libjpeg": str(jpeg),
        "numpy": np.__version__,
        "apache-beam": importlib.metadata.version("apache-beam"),
    }


# --- before -------------------------------------------------------------------------------------


def check_output(workspace: Workspace, source: str, overwrite: bool) -> None:
    """Refuses an output directory that holds something else.

    Raises:
        DatasetError: it holds a complete dataset (and `overwrite` is not set), or other files, or
            lies where the source's pictures are.
    """
    files, output = workspace.files, workspace.output
    _check_apart(source, output)
    names = [name for name in files.names(output) if not name.startswith(".")]
    if INFO_FILE in names:
        if not overwrite and not _is_published(workspace):
            raise DatasetError(
                f"{output!r} already holds a dataset; nothing was changed. Name another --output, "
                "or replace it with --overwrite"
            )
    elif names and not files.is_file(workspace.job):
        raise DatasetError(
            f"expected an empty or new directory as --output, {output!r} holds {names[0]!r}"
        )


def _check_apart(source: str, output: str) -> None:
    """The dataset would be taken for a class of pictures the next time."""
    if "://" in source or "://" in output:
        inside = f"{output}/".startswith(f"{source.rstrip('/')}/")
    else:
        inside = Path(output).resolve().is_relative_to(Path(source).resolve())
    if inside:
        raise DatasetError(f"expected an --output outside of --input {source!r}; got {output!r}")


def job_identity(
    conversion: Conversion, listing: Listing, tasks: Sequence[ShardTask]
) -> dict[str, str]:
    """All that determines the result, item by item, for comparison with an unfinished job."""
    shards = Counter(parse_shard_name(task.name)[0] for task in tasks)
    images = conversion.images
    versions = tool_versions()
    identity = {
        "format version": FORMAT_VERSION,
        "--source": conversion.source,
        "--image-size": images.size,
        "--resize-filter": images.filter,
        "--encoding": images.encoding,
        "--quality": images.quality if images.encoding == "jpeg" else None,
        "--apply-exif": images.apply_exif,
        "--max-pixels": images.max_pixels,
        "--seed": conversion.seed,
        "--shards": ",".join(f"{split}={count}" for split, count in sorted(shards.items())),
        "--validation-fraction": conversion.validation_fraction,
        "Pillow": versions["pillow"],
        "libjpeg": versions["libjpeg"],
        **{f"input {item}": state for item, state in listing.identity.items()},
    }
    return {item: str(state) for item, state in identity.items()}


def prepare_workspace(
    workspace: Workspace, job: Job, identity: Mapping[str, str], overwrite: bool
) -> bool:
    """Makes the working folder ready, keeping what an interrupted run of the same job has done.

    Returns:
        Whether there is an interrupted run to go on with.

    Raises:
        DatasetError: it was another job, and `overwrite` is not set.
    """
    files = workspace.files
    content = {"identity": dict(identity), "job": job.to_json(), "versions": tool_versions()}
    before = _read_identity(workspace)
    if before is not None and before != identity:
        if not overwrite:
            raise DatasetError(
                f"{workspace.output!r} holds an unfinished conversion, and this one differs: "
                f"{_difference(before, identity)}. Repeat the command that began it, or start anew "
                "with --overwrite"
            )
        before = None
    if before is None:
        for folder in ("shards", "results"):
            files.delete_folder(workspace.path(folder))
        files.delete(workspace.path(INFO_FILE))
    files.delete_folder(workspace.path("progress"))
    for folder in ("shards", "results", "progress"):
        files.make_folder(workspace.path(folder))
    with files.create(workspace.job) as file:
        file.write(json.dumps(content).encode())
    return before is not None


def _read_identity(workspace: Workspace) -> dict[str, str] | None:
    if not workspace.files.is_file(workspace.job):
        return None
    with workspace.files.open(workspace.job) as file:
        return json.loads(file.read())["identity"]


def _difference(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The first few items that differ."""
    items = [item for item in {**before, **now} if before.get(item) != now.get(item)]
    told = [
        f"{item} was {before.get(item, 'absent')}, is {now.get(item, 'absent')}" for item in items
    ]
    more = f", and {len(told) - 3} more" if len(told) > 3 else ""
    return "; ".join(told[:3]) + more


# --- after --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What a finished conversion has made."""

    info: DatasetInfo
    mean_image: np.ndarray
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
    pictures = len(rejects)
    for task in tasks:
        result = _result(workspace, task)
        pictures += task.pictures
        rejects += result.rejects
        splits.setdefault(parse_shard_name(task.name)[0], []).append(result.shard)
        if result.statistics:
            with workspace.files.open(workspace.statistics(task.name)) as file:
                statistics.merge(PixelStatistics.from_bytes(file.read()))
    _write_rejects(workspace, rejects)
    _check_rejects(workspace, conversion, rejects, pictures)
    if statistics.count == 0:
        raise JobError("expected training pictures, all of them were rejected")
    images = conversion.images
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
    )
    return Outcome(info, statistics.mean_image().astype(np.float32), tuple(rejects))


def _result(workspace: Workspace, task: ShardTask) -> ShardResult:
    result = read_result(workspace, task.name)
    if result is None or result.shard.examples + len(result.rejects) != task.pictures:
        raise JobError(
            f"expected {task.pictures} records and rejects of {task.name}, found "
            f"{'no result' if result is None else 'others'}; run the same command again"
        )
    return result


def _write_rejects(workspace: Workspace, rejects: Iterable[RejectEntry]) -> None:
    with workspace.files.create(workspace.path(REJECTS_FILE)) as file:
        for entry in rejects:
            file.write((json.dumps(dataclasses.asdict(entry)) + "\n").encode())


def _check_rejects(
    workspace: Workspace, conversion: Conversion, rejects: Sequence[RejectEntry], pictures: int
) -> None:
    if len(rejects) <= conversion.max_rejects * pictures:
        return
    counts = Counter(entry.reason for entry in rejects).most_common()
    reasons = ", ".join(f"{reason} {count}" for reason, count in counts)
    raise JobError(
        f"{len(rejects)} of {pictures} pictures were rejected ({reasons}), more than --max-rejects "
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
    for name, data in (
        (MEAN_FILE, _npy(outcome.mean_image)),
        (MEAN_PICTURE, _png(outcome.mean_image)),
        (REJECTS_FILE, None),
    ):
        if data is None:
            files.move(workspace.path(name), files.join(output, name))
            continue
        with files.create(files.join(output, name)) as file:
            file.write(data)
    with files.create(files.join(output, INFO_FILE)) as file:
        file.write(info)
    files.delete_folder(workspace.folder)


def _is_published(workspace: Workspace) -> bool:
    """Whether a run was killed after it had published its dataset, before it tidied up."""
    files = workspace.files
    staged = workspace.path(INFO_FILE)
    if not files.is_file(staged):
        return False
    with files.open(staged) as file, files.open(files.join(workspace.output, INFO_FILE)) as other:
        return file.read() == other.read()


def _is_shard_name(name: str) -> bool:
    try:
        parse_shard_name(name)
    except ValueError:
        return False
    return True


def _npy(mean: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, mean, allow_pickle=False)
    return buffer.getvalue()


def _png(mean: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.rint(mean).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
