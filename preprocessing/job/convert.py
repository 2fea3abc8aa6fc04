"""A conversion from top to bottom: list the source, plan the shards, make them, publish them."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from preprocessing.dataset.info import DatasetInfo
from preprocessing.dataset.printable import counted
from preprocessing.errors import DatasetError
from preprocessing.job.beam_job import run_pipeline
from preprocessing.job.lock import locked
from preprocessing.job.plan import Plan, ShardTask, make_plan, write_plan
from preprocessing.job.progress import JobProgress, ListingProgress
from preprocessing.job.publication import assemble, count_work, publish, read_results
from preprocessing.job.request import Conversion, job_identity
from preprocessing.job.workspace import Job, JobFolder, Workspace, check_output, prepare
from preprocessing.monitoring.progress import ProgressDisplay
from preprocessing.sources.list_source import list_source
from preprocessing.sources.listing import Listing
from preprocessing.storage.choose import files_for


@dataclass(frozen=True)
class Summary:
    """What a conversion did: the dataset, and what this run has counted."""

    info: DatasetInfo
    counters: Mapping[str, int]
    seconds: float
    listing_seconds: float
    ignored_files: int

    def text(self, output: str) -> str:
        """Several lines for the user."""
        lines = []
        for split, shards in self.info.splits.items():
            images = counted(self.info.num_examples(split), "image")
            lines.append(f"{split}: {images} in {counted(len(shards), 'shard')}")
        rejects = ", ".join(f"{reason} {count}" for reason, count in self.info.rejects.items())
        lines.append(f"rejects: {rejects or 'none'}")
        if self.ignored_files:
            lines.append(f"ignored: {counted(self.ignored_files, 'file')} not meant as images")
        counters = ", ".join(f"{name} {value:,}" for name, value in sorted(self.counters.items()))
        lines.append(f"this run: {counters}")
        images = self.counters.get("images", 0)
        rate = images / max(self.seconds - self.listing_seconds, 1e-9)
        lines.append(
            f"took {self.seconds:.1f} s, {self.listing_seconds:.1f} s of it for listing"
            + (f"; {rate:,.0f} images/s" if images else "")
        )
        lines.append(f"wrote {output}; look at it with: python -m preprocessing inspect {output}")
        return "\n".join(lines)


def convert(conversion: Conversion, options: PipelineOptions) -> Summary:
    """Converts a source to a dataset; the same call goes on where an interrupted one stopped.

    Raises:
        DatasetError: a user's mistake about input, output or options.
        JobError: the job failed; what is finished is kept for the next run.
    """
    began = time.monotonic()
    run = os.urandom(8).hex()
    FileSystems.set_options(options)  # Beam's of hdfs:// and s3://, for this process too
    workspace = Workspace(files_for(conversion.output), conversion.output)
    check_output(workspace, conversion.input, conversion.overwrite)  # a mistake leaves no trace
    with locked(workspace):
        # Once more: another conversion may have published its dataset since.
        check_output(workspace, conversion.input, conversion.overwrite)
        listing, plan = _list_and_plan(conversion, workspace)
        job = Job(conversion.images, listing.classes, tuple(listing.containers))
        identity = job_identity(conversion, listing, plan)
        folder, interrupted = prepare(workspace, job, identity, conversion.overwrite)
        if interrupted:
            print("going on with an interrupted conversion", file=sys.stderr)
        write_plan(workspace.files, folder.plan, plan)
        tasks, rejects, ignored = plan.tasks, (*listing.rejects, *plan.rejects), listing.ignored
        del listing, plan  # they may take a gigabyte
        listed = time.monotonic()
        _make_shards(folder, tasks, run, options)
        results = read_results(folder, tasks)
        dataset = assemble(folder, conversion, job.classes, rejects, results)
        publish(folder, dataset)
    seconds = time.monotonic() - began
    return Summary(
        dataset.info, count_work(results.values(), run), seconds, listed - began, ignored
    )


def _list_and_plan(conversion: Conversion, workspace: Workspace) -> tuple[Listing, Plan]:
    """What there is and what shall be done; a mistake leaves no trace in a new directory."""
    try:
        listing = list_source(
            conversion.source,
            conversion.input,
            conversion.seed,
            conversion.validation_fraction,
            conversion.follow_links,
            workspace.files,
            workspace.folder,
            ListingProgress(),
        )
        return listing, make_plan(listing, conversion.shards, conversion.seed)
    except DatasetError:
        if not workspace.jobs():
            workspace.tidy_up()
        raise


def _make_shards(
    folder: JobFolder, tasks: Sequence[ShardTask], run: str, options: PipelineOptions
) -> None:
    """Runs the Beam job, showing how far it is."""
    finished = set(folder.files.names(folder.path("results")))
    kept = [task for task in tasks if f"{task.name}.json" in finished]
    # Local runners deal elements out in turn: keep those that are still to do evenly spread.
    waiting = [task for task in tasks if f"{task.name}.json" not in finished]
    total, done = (sum(task.images for task in some) for some in (tasks, kept))
    with ProgressDisplay(total, done, JobProgress(folder, waiting)):
        run_pipeline(folder, waiting + kept, run, options)
