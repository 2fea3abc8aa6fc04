"""The Beam job: list the source, plan the shards, make them, publish the dataset; top to bottom.

An element is a shard's task, a few numbers; images are read, converted and written where the
element arrives and never travel. Workers need this package and few others (BUILD.md, "Clusters");
they import neither TensorFlow nor alexnet_tf.
"""

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.io.filesystem import BeamIOError
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState

from preprocessing.dataset.info import DatasetInfo
from preprocessing.dataset.names import parse_shard_name
from preprocessing.errors import DatasetError, JobError, ShardFailure
from preprocessing.job.local_workers import DRIVER, locked, watched_workers, worker_environment
from preprocessing.job.plan import ShardTask, write_plan
from preprocessing.job.progress import ProgressDisplay
from preprocessing.job.publication import assemble, publish
from preprocessing.job.request import (
    Conversion,
    check_output,
    job_identity,
    prepare_workspace,
    tool_versions,
)
from preprocessing.job.runners import runner_and_options
from preprocessing.job.shards import Job, Workspace, make_shard
from preprocessing.sources.cifar10 import list_cifar10
from preprocessing.sources.class_folders import list_folder
from preprocessing.sources.ilsvrc2012 import list_ilsvrc2012
from preprocessing.sources.listing import Listing
from preprocessing.storage.beam_files import BeamFiles, files_for
from preprocessing.storage.files import LocalFiles

_NAMESPACE = "preprocessing"
_FAILURE = re.compile(r"shard-failure<(.*?)>shard-failure", re.DOTALL)


class MakeShard(beam.DoFn):
    """Makes one shard: ShardTask -> (split, number of records)."""

    def __init__(self, output: str):
        self._output = output

    def setup(self):
        """Reads, once a worker, what all shards have in common."""
        self._workspace = Workspace(files_for(self._output), self._output)
        with self._workspace.files.open(self._workspace.job) as file:
            content = json.loads(file.read())
        self._job = Job.from_json(content["job"])
        for tool in ("pillow", "libjpeg"):
            if tool_versions()[tool] != content["versions"][tool]:
                raise ShardFailure.because(
                    f"this worker has {tool} {tool_versions()[tool]}, the job was started with "
                    f"{content['versions'][tool]}: their bytes may differ"
                )

    def process(self, task: ShardTask):
        tick = _ProgressFile(self._workspace, task.name)
        try:
            result = make_shard(self._workspace, files_for, self._job, task, tick)
        except (OSError, BeamIOError, DatasetError) as error:
            raise ShardFailure.because(f"{task.name}: {error}") from error
        counts = Counter(entry.reason for entry in result.rejects)
        if result.kept:
            Metrics.counter(_NAMESPACE, "shards kept").inc()
        else:
            Metrics.counter(_NAMESPACE, "shards made").inc()
            Metrics.counter(_NAMESPACE, "images").inc(result.shard.examples)
            Metrics.counter(_NAMESPACE, "bytes read").inc(result.source_bytes)
            Metrics.counter(_NAMESPACE, "bytes written").inc(result.shard.bytes)
            for reason, count in counts.items():
                Metrics.counter(_NAMESPACE, f"rejects: {reason}").inc(count)
        yield parse_shard_name(task.name)[0], result.shard.examples


class _ProgressFile:
    """Tells the display how far a shard is: a small file, at most once a second."""

    def __init__(self, workspace: Workspace, name: str):
        self._path = workspace.progress(name) if workspace.files.is_local else None
        self._next = time.monotonic() + 1
        self._driver = int(os.environ.get(DRIVER, "0"))

    def __call__(self, done: int) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 1
        if self._driver:
            try:
                os.kill(self._driver, 0)
            except ProcessLookupError as error:
                raise ShardFailure.because("the job that started this worker has ended") from error
        if self._path:
            with open(self._path, "w", encoding="ascii") as file:
                file.write(str(done))


@dataclass(frozen=True)
class Summary:
    """What a conversion did: the dataset, and Beam's counters of this run."""

    info: DatasetInfo
    counters: Mapping[str, int]
    seconds: float
    listing_seconds: float
    ignored_files: int

    def text(self, output: str) -> str:
        """Several lines for the user."""
        lines = []
        for split, shards in self.info.splits.items():
            count = self.info.num_examples(split)
            lines.append(f"{split}: {count:,} images in {len(shards):,} shards")
        rejects = ", ".join(f"{reason} {count}" for reason, count in self.info.rejects.items())
        lines.append(f"rejects: {rejects or 'none'}")
        if self.ignored_files:
            lines.append(f"ignored: {self.ignored_files:,} files outside of class folders")
        counters = ", ".join(f"{name} {value:,}" for name, value in sorted(self.counters.items()))
        lines.append(f"this run: {counters}")
        rate = self.counters.get("images", 0) / max(self.seconds - self.listing_seconds, 1e-9)
        lines.append(
            f"took {self.seconds:.1f} s, {self.listing_seconds:.1f} s of it for listing; "
            f"{rate:,.0f} images/s"
        )
        lines.append(f"wrote {output}; look at it with: python -m preprocessing inspect {output}")
        return "\n".join(lines)


def _list_and_plan(conversion: Conversion, workspace: Workspace) -> tuple[Listing, list[ShardTask]]:
    """Lists the source and writes the plan; a mistake leaves no trace in a new directory."""
    files = workspace.files
    is_new = not files.is_file(workspace.job)
    try:
        listing = list_source(conversion, workspace)
        return listing, write_plan(
            files, workspace.plan, listing, conversion.shards, conversion.seed
        )
    except DatasetError:
        if is_new:
            files.delete_folder(workspace.folder)
            files.delete_if_empty(workspace.output)
        raise


def list_source(conversion: Conversion, workspace: Workspace) -> Listing:
    """Lists the source's images; nothing is decoded."""
    remote = "://" in conversion.input
    files = BeamFiles(remember=True) if remote else LocalFiles()
    folder = conversion.input.rstrip("/") or "/"
    report = _ListingReport()
    if conversion.source == "cifar10":
        return list_cifar10(files, folder, workspace, report)
    if not files.is_folder(folder):
        raise DatasetError(f"expected a folder as --input, found none at {folder!r}")
    if conversion.source == "ilsvrc2012":
        return list_ilsvrc2012(files, folder, report)
    return list_folder(files, folder, report, conversion.seed, conversion.validation_fraction)


class _ListingReport:
    """A line every ten seconds while a large source is listed."""

    def __init__(self):
        self._next = time.monotonic() + 10

    def __call__(self, count: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 10
            print(f"listed {count:,} images", file=sys.stderr, flush=True)


def convert(conversion: Conversion, options: PipelineOptions) -> Summary:
    """Converts a source to a dataset; the same call goes on where an interrupted one stopped.

    Raises:
        DatasetError: a user's mistake about input, output or options.
        JobError: the job failed; what is finished is kept for the next run.
    """
    began = time.monotonic()
    workspace = Workspace(files_for(conversion.output), conversion.output)
    check_output(workspace, conversion.input, conversion.overwrite)
    with locked(workspace):
        listing, tasks = _list_and_plan(conversion, workspace)
        job = Job(conversion.images, listing.classes, tuple(listing.containers))
        identity = job_identity(conversion, listing, tasks)
        if prepare_workspace(workspace, job, identity, conversion.overwrite):
            print("going on with an interrupted conversion", file=sys.stderr)
        listed = time.monotonic()
        counters = _make_shards(workspace, tasks, options)
        outcome = assemble(workspace, conversion, listing, tasks)
        publish(workspace, outcome)
    seconds = time.monotonic() - began
    return Summary(outcome.info, counters, seconds, listed - began, listing.ignored)


def _make_shards(
    workspace: Workspace, tasks: Sequence[ShardTask], options: PipelineOptions
) -> dict[str, int]:
    """Runs the Beam job and returns its counters."""
    finished = set(workspace.files.names(workspace.path("results")))
    kept = [task for task in tasks if f"{task.name}.json" in finished]
    # Local runners deal elements out in turn: keep those that are still to do evenly spread.
    waiting = [task for task in tasks if task not in set(kept)]
    with ProgressDisplay(
        sum(task.images for task in tasks),
        sum(task.images for task in kept),
        _Progress(workspace, waiting),
    ):
        try:
            with worker_environment(), watched_workers(workspace):
                pipeline = beam.Pipeline(*runner_and_options(options, workspace))
                _ = (
                    pipeline
                    | "Plan" >> beam.Create(waiting + kept, reshuffle=False)  # ShardTask
                    | "Spread" >> beam.Reshuffle()  # ShardTask, where there is a free worker
                    | "Make" >> beam.ParDo(MakeShard(workspace.output))  # (split, records)
                )
                result = pipeline.run()
                state = result.wait_until_finish()
        except Exception as error:  # runners wrap a worker's exception in their own kinds
            failure = _FAILURE.search(str(error))
            if failure is None:
                raise
            raise JobError(f"{failure[1]}; finished shards are kept for the next run") from error
    if state not in (None, PipelineState.DONE):
        raise JobError(f"the runner ended in state {state}; run the same command again")
    counters = result.metrics().query(MetricsFilter().with_namespace(_NAMESPACE))["counters"]
    return {counter.key.metric.name: counter.result for counter in counters}


class _Progress:
    """Counts the images done by this run."""

    def __init__(self, workspace: Workspace, waiting: Sequence[ShardTask]):
        self._workspace = workspace
        self._waiting = {f"{task.name}.json": task.images for task in waiting}
        self._done = 0
        self._next = 0.0

    def __call__(self) -> int:
        files = self._workspace.files
        if time.monotonic() < self._next:
            return self._done
        self._next = time.monotonic() + (1 if files.is_local else 20)
        finished = set(files.names(self._workspace.path("results"))) & set(self._waiting)
        done = sum(self._waiting[name] for name in finished)
        if files.is_local:
            for name in files.names(self._workspace.path("progress")):
                if f"{name}.json" not in finished:
                    with files.open(self._workspace.progress(name)) as file:
                        done += int(file.read() or 0)
        self._done = done
        return done
