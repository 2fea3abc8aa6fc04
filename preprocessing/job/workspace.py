"""Where a conversion keeps what is not done yet, and whether it may start or go on there.

The output directory holds, until all is done, a working folder ``.conversion``: in it a lock, and
for the job a folder named after what identifies it. So another job, though it should overtake one
that was thought to be dead, never finds or replaces a file of it.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from preprocessing.dataset.info import ClassName
from preprocessing.dataset.names import INFO_FILE
from preprocessing.errors import DatasetError, ShardFailure
from preprocessing.images.convert import ImageOptions
from preprocessing.job.request import difference, tool_versions
from preprocessing.sources.listing import Container
from preprocessing.storage.choose import is_remote
from preprocessing.storage.files import Files

LOCKS = ("lock", "locks")  # of the working folder; job/lock.py


@dataclass(frozen=True)
class Job:
    """What a worker must know besides the plan."""

    options: ImageOptions
    classes: tuple[ClassName, ...]
    containers: tuple[Container, ...]

    @classmethod
    def from_json(cls, content: dict) -> "Job":
        return cls(
            options=ImageOptions(**content["options"]),
            classes=tuple(ClassName(**name) for name in content["classes"]),
            containers=tuple(Container(**container) for container in content["containers"]),
        )


@dataclass(frozen=True)
class Workspace:
    """Paths of the working folder in the dataset's directory `output`."""

    files: Files
    output: str

    @property
    def folder(self) -> str:
        return self.files.join(self.output, ".conversion")

    def shared(self, name: str) -> str:
        """What belongs to no single job."""
        return self.files.join(self.folder, name)

    def jobs(self) -> list["JobFolder"]:
        """The conversions that were begun here."""
        folders = (JobFolder(self.files, self.output, name) for name in self._names())
        return [folder for folder in folders if self.files.is_file(folder.job)]

    def tidy_up(self) -> None:
        """Removes all but the lock."""
        for name in self._names():
            self.files.delete_folder(self.shared(name))

    def _names(self) -> list[str]:
        return [name for name in self.files.names(self.folder) if name not in LOCKS]


@dataclass(frozen=True)
class JobFolder:
    """Paths of one job; `key` names it by its content."""

    files: Files
    output: str
    key: str

    def path(self, *parts: str) -> str:
        return self.files.join(self.output, ".conversion", self.key, *parts)

    @property
    def job(self) -> str:
        return self.path("job.json")

    @property
    def plan(self) -> str:
        return self.path("plan.bin")

    @property
    def info(self) -> str:
        """dataset_info.json, waiting for its dataset to be complete."""
        return self.path(INFO_FILE)

    def shard(self, name: str) -> str:
        return self.path("shards", name)

    def result(self, name: str) -> str:
        return self.path("results", f"{name}.json")

    def statistics(self, name: str) -> str:
        return self.path("results", f"{name}.npz")

    def progress(self, name: str) -> str:
        return self.path("progress", name)


def job_key(identity: Mapping[str, str]) -> str:
    """A name for the job: 32 hexadecimal digits that its identity determines."""
    return hashlib.sha256(json.dumps(dict(identity), sort_keys=True).encode()).hexdigest()[:32]


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
    elif names and not workspace.jobs():
        raise DatasetError(
            f"expected an empty or new directory as --output, {output!r} holds {names[0]!r}"
        )


def _check_apart(source: str, output: str) -> None:
    """The dataset would be taken for a class of images the next time."""
    if is_remote(source) or is_remote(output):
        inside = f"{output}/".startswith(f"{source.rstrip('/')}/")
    else:
        # Not Path.resolve, which before Python 3.13 raises RuntimeError of a link to itself.
        inside = Path(os.path.realpath(output)).is_relative_to(os.path.realpath(source))
    if inside:
        raise DatasetError(f"expected an --output outside of --input {source!r}; got {output!r}")


def _is_published(workspace: Workspace) -> bool:
    """Whether a run was killed after it had published its dataset, before it tidied up."""
    files = workspace.files
    with files.open(files.join(workspace.output, INFO_FILE)) as file:
        published = file.read()
    for folder in workspace.jobs():
        if files.is_file(folder.info):
            with files.open(folder.info) as file:
                if file.read() == published:
                    return True
    return False


def prepare(
    workspace: Workspace, job: Job, identity: Mapping[str, str], overwrite: bool
) -> tuple[JobFolder, bool]:
    """Makes the job's folder ready, keeping what an interrupted run of the same job has done.

    Returns:
        The folder, and whether there is an interrupted run to go on with.

    Raises:
        DatasetError: another job is unfinished here, and `overwrite` is not set.
    """
    files = workspace.files
    folder = JobFolder(files, workspace.output, job_key(identity))
    begun = workspace.jobs()
    others = [other for other in begun if other.key != folder.key]
    if others and not overwrite:  # else they are removed once this one is published
        raise DatasetError(
            f"{workspace.output!r} holds an unfinished conversion, and this one differs: "
            f"{_difference(others[0], identity)}. Repeat the command that began it, or start anew "
            "with --overwrite"
        )
    files.delete_folder(folder.path("progress"))
    for name in ("shards", "results", "progress"):
        files.make_folder(folder.path(name))
    content = {
        "identity": dict(identity),
        "job": dataclasses.asdict(job),
        "versions": tool_versions(),
    }
    with files.create(folder.job) as file:
        file.write(json.dumps(content).encode())
    return folder, folder in begun


def read_job(folder: JobFolder) -> Job:
    """What all shards have in common, for a worker.

    Raises:
        ShardFailure: the folder has gone, or this worker's libraries would give other bytes.
    """
    if not folder.files.is_file(folder.job):
        raise ShardFailure(f"expected {folder.job}, found none: the conversion was replaced")
    with folder.files.open(folder.job) as file:
        content = json.loads(file.read())
    for tool in ("pillow", "libjpeg"):
        if tool_versions()[tool] != content["versions"][tool]:
            raise ShardFailure(
                f"this worker has {tool} {tool_versions()[tool]}, the job was started with "
                f"{content['versions'][tool]}: their bytes may differ"
            )
    return Job.from_json(content["job"])


def _difference(other: JobFolder, identity: Mapping[str, str]) -> str:
    with other.files.open(other.job) as file:
        data = file.read()
    try:
        before = {str(item): str(state) for item, state in json.loads(data)["identity"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return f"its {other.job} is damaged"
    return difference(before, identity)
