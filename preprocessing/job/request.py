"""Before the work of a conversion: what is asked for, may it start here, is it the same job."""

import importlib.metadata
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL
import PIL.features

from preprocessing.dataset.info import FORMAT_VERSION
from preprocessing.dataset.names import INFO_FILE, parse_shard_name
from preprocessing.errors import DatasetError
from preprocessing.images.convert import ImageOptions
from preprocessing.job.plan import ShardTask
from preprocessing.job.shards import Job, Workspace
from preprocessing.sources.listing import Listing


@dataclass(frozen=True)
class Conversion:
    """What the user asked for.

    Attributes:
        source: "ilsvrc2012", "folder" or "cifar10".
        input: the source's path; output: the dataset's directory.
        images: how each image is converted.
        seed: of the order of the images, and of the held-out part.
        shards: number of shards by split, where it is not the default.
        validation_fraction: of each class's images, held out where a folder has no validation.
        max_rejects: fraction of all images; more rejects fail the job.
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


def check_output(workspace: Workspace, source: str, overwrite: bool) -> None:
    """Refuses an output directory that holds something else.

    Raises:
        DatasetError: it holds a complete dataset (and `overwrite` is not set), or other files, or
            lies where the source's images are.
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
    """The dataset would be taken for a class of images the next time."""
    if "://" in source or "://" in output:
        inside = f"{output}/".startswith(f"{source.rstrip('/')}/")
    else:
        inside = Path(output).resolve().is_relative_to(Path(source).resolve())
    if inside:
        raise DatasetError(f"expected an --output outside of --input {source!r}; got {output!r}")


def _is_published(workspace: Workspace) -> bool:
    """Whether a run was killed after it had published its dataset, before it tidied up."""
    files = workspace.files
    staged = workspace.path(INFO_FILE)
    if not files.is_file(staged):
        return False
    with files.open(staged) as file, files.open(files.join(workspace.output, INFO_FILE)) as other:
        return file.read() == other.read()


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
