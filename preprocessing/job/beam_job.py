"""The Beam part of a conversion, and the only pipeline: shards' tasks -> shards.

An element is a shard's task, a few numbers; images are read, converted and written where the
element arrives and never travel. Workers need this package and few others (BUILD.md, "Clusters");
they import neither TensorFlow nor alexnet_tf.
"""

import re
import time
from collections import Counter
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult, PipelineState

from preprocessing.errors import DatasetError, JobError, ShardFailure, UserError, os_reason
from preprocessing.job.local_workers import watched_workers, worker_environment
from preprocessing.job.loopback import only_on_loopback
from preprocessing.job.plan import ShardTask
from preprocessing.job.progress import ShardProgress
from preprocessing.job.runners import check_reachable, is_local, runner_and_options
from preprocessing.job.shards import make_shard
from preprocessing.job.worker_log import worker_log
from preprocessing.job.workspace import JobFolder, read_job
from preprocessing.storage.choose import files_for

NAMESPACE = "preprocessing"  # of the counters that a runner's own page shows
_CANCEL_SECONDS = 60.0
_FAILURE = re.compile(r"shard-failure<(.*?)>shard-failure", re.DOTALL)


class MakeShards(beam.PTransform):
    """ShardTasks -> a pair of split and number of records for each shard that stands there then.

    Args:
        output: the dataset's directory.
        key: names the job's folder in it.
        run: names this run of the job.
    """

    def __init__(self, output: str, key: str, run: str):
        super().__init__()
        self._make = _MakeShard(output, key, run)

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        return (
            tasks
            | "Spread" >> beam.Reshuffle()  # ShardTask, where there is a free worker
            | "Make" >> beam.ParDo(self._make)  # (split, records)
        )


class _MakeShard(beam.DoFn):
    def __init__(self, output: str, key: str, run: str):
        self._output = output
        self._key = key
        self._run = run

    def setup(self) -> None:
        """Reads, once a worker, what all shards have in common."""
        self._folder = JobFolder(files_for(self._output), self._output, self._key)
        try:
            self._job = read_job(self._folder)
        except (OSError, JobError) as error:
            raise ShardFailure.because(str(error)) from error

    def process(self, task: ShardTask):
        report = ShardProgress(self._folder, task.name)
        try:
            result = make_shard(self._folder, files_for, self._job, task, self._run, report)
        except OSError as error:
            raise ShardFailure.because(f"{task.name}: {os_reason(error)}") from error
        except (DatasetError, JobError) as error:
            raise ShardFailure.because(f"{task.name}: {error}") from error
        if result.run == self._run:
            Metrics.counter(NAMESPACE, "images").inc(result.shard.examples)
            Metrics.counter(NAMESPACE, "bytes read").inc(result.source_bytes)
            for reason, count in Counter(entry.reason for entry in result.rejects).items():
                Metrics.counter(NAMESPACE, f"rejects: {reason}").inc(count)
        yield task.split, result.shard.examples


def run_pipeline(
    folder: JobFolder, tasks: Sequence[ShardTask], run: str, options: PipelineOptions
) -> None:
    """Makes the shards, on whichever runner the options name.

    Raises:
        JobError: a shard could not be made, or the runner failed.
    """
    try:
        check_reachable(options)
        with (
            worker_environment(),
            worker_log() as log,
            watched_workers(log),
            only_on_loopback(),
        ):
            pipeline = beam.Pipeline(*runner_and_options(options, log))
            _ = (
                pipeline
                | "Plan" >> beam.Create(tasks, reshuffle=False)  # ShardTask
                | "Shards" >> MakeShards(folder.output, folder.key, run)  # (split, records)
            )
            state = _run_and_wait(pipeline, is_local(options))
    except Exception as error:  # runners wrap a worker's exception in their own kinds
        if failure := _FAILURE.search(str(error)):
            raise JobError(f"{failure[1]}; finished shards are kept for the next run") from error
        if is_local(options) or isinstance(error, UserError | JobError):
            raise
        lines = [" ".join(line.split()) for line in str(error).splitlines()]
        reason = next(filter(None, lines), "it does not say why")
        raise JobError(
            f"the runner ended with {type(error).__name__}: {reason[:500]}; its own log says more. "
            "Finished shards are kept: run the same command again once it works"
        ) from error
    if state not in (None, PipelineState.DONE):
        raise JobError(f"the runner ended in state {state}; run the same command again")


def _run_and_wait(pipeline: beam.Pipeline, local: bool) -> str | None:
    """Returns the state that the job ends in; at Ctrl-C a job far away is cancelled."""
    result = None
    try:
        result = pipeline.run()  # a local runner returns when all is done
        return result.wait_until_finish()
    except KeyboardInterrupt:
        if not local:
            _cancel(result)
        raise


def _cancel(result: PipelineResult | None) -> None:
    """Stops the job and waits until it has stopped. Raises JobError if it may run on."""
    try:
        if result is None:
            raise TimeoutError("it was being handed over")
        result.cancel()
        end = time.monotonic() + _CANCEL_SECONDS
        while not PipelineState.is_terminal(result.state):
            if time.monotonic() > end:
                raise TimeoutError(f"not stopped within {_CANCEL_SECONDS} s")
            time.sleep(0.5)
    except (Exception, KeyboardInterrupt) as error:
        raise JobError(
            f"interrupted, but the job could not be cancelled ({type(error).__name__}: {error}) "
            "and may still run; stop it by the runner's own means, then repeat the command"
        ) from error
