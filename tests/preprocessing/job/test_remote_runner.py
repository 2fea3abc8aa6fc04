"""A runner far away: Ctrl-C cancels its job, its errors end in one line, its options arrive."""

import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import HadoopFileSystemOptions, PipelineOptions
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState

from preprocessing.__main__ import main
from preprocessing.errors import JobError
from preprocessing.job import beam_job
from preprocessing.job.workspace import JobFolder
from preprocessing.storage.files import LocalFiles
from tests.preprocessing.drawn_images import write_class_folders


class FarJob(PipelineResult):
    """A job whose waiting ends as it is told to."""

    def __init__(self, ends_with, cancels=True, states=()):
        super().__init__(PipelineState.RUNNING)
        self.ends_with = ends_with
        self.cancels = cancels
        self.states = list(states)
        self.cancelled = False

    @property
    def state(self):
        return self.states.pop(0) if self.states else self._state

    def wait_until_finish(self, duration=None):
        if isinstance(self.ends_with, BaseException):
            raise self.ends_with
        return self.ends_with

    def cancel(self):
        self.cancelled = True
        if isinstance(self.cancels, BaseException):
            raise self.cancels
        if self.cancels:
            self._state = PipelineState.CANCELLED


class FarRunner(PipelineRunner):
    def __init__(self, job):
        self.job = job

    def run_pipeline(self, pipeline, options):
        if isinstance(self.job, BaseException):
            raise self.job
        return self.job


FAR = PipelineOptions(["--runner", "PortableRunner"])


@pytest.fixture
def run(monkeypatch, tmp_path):
    def run(job):
        monkeypatch.setattr(
            beam_job, "runner_and_options", lambda options, log: (FarRunner(job), options)
        )
        beam_job.run_pipeline(JobFolder(LocalFiles(), str(tmp_path), "key"), (), "run", FAR)

    return run


def test_ctrl_c_cancels_and_waits(run):
    states = [PipelineState.RUNNING, PipelineState.CANCELLING, PipelineState.CANCELLED]
    job = FarJob(KeyboardInterrupt(), states=states)
    with pytest.raises(KeyboardInterrupt):
        run(job)
    assert job.cancelled
    assert job.states == []  # it waited for the last of them


@pytest.mark.parametrize(
    ("cancels", "told"),
    [
        (False, "not stopped within"),
        (NotImplementedError(), "NotImplementedError"),
        (OSError("no connection"), "no connection"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),  # pressed again
    ],
)
def test_a_job_that_cannot_be_cancelled_is_said_to_run_on(run, monkeypatch, cancels, told):
    monkeypatch.setattr(beam_job, "_CANCEL_SECONDS", 0.0)
    with pytest.raises(JobError, match="and may still run; stop it by the runner's own") as error:
        run(FarJob(KeyboardInterrupt(), cancels))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_an_interruption_while_the_job_is_handed_over(run):
    with pytest.raises(JobError, match=r"being handed over.*may still run"):
        run(KeyboardInterrupt())


class KilledWorker(Exception):  # as Dask calls it
    pass


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (
            RuntimeError("Pipeline job-1 failed in state FAILED: lost\n  at java"),
            "RuntimeError: Pip",
        ),
        (
            KilledWorker("\n\nAttempted to run task on 4 workers\nmore"),
            "KilledWorker: Attempted to",
        ),
        (TimeoutError(), "TimeoutError: it does not say why"),
        (RuntimeError("x shard-failure<train-0: full>shard-failure y\nz"), "^train-0: full; fini"),
    ],
)
@pytest.mark.parametrize("when", ["handing over", "waiting"])
def test_errors_of_any_runner_are_one_line(run, failure, line, when):
    with pytest.raises(JobError, match=line) as error:
        run(failure if when == "handing over" else FarJob(failure))
    assert "inished shards are kept" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("state", [PipelineState.FAILED, PipelineState.CANCELLED])
def test_a_job_that_ends_otherwise_than_done(run, state):
    with pytest.raises(JobError, match=f"ended in state {state}"):
        run(FarJob(state))


def test_the_drivers_filesystem_gets_the_options(tmp_path, monkeypatch):
    """hdfs:// and s3:// need them from the first look at the output on."""
    seen = []

    def look(workspace, source, overwrite):
        options = FileSystems._pipeline_options.view_as(HadoopFileSystemOptions)
        seen.append((options.hdfs_host, options.hdfs_port))

    monkeypatch.setattr(FileSystems, "_pipeline_options", None)
    monkeypatch.setattr("preprocessing.job.convert.check_output", look)
    write_class_folders(tmp_path / "in")
    folders = ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    options = ["--image-size", "16", "--direct_running_mode", "in_memory"]
    hdfs = ["--hdfs_host", "store", "--hdfs_port", "9870", "--hdfs_user", "me"]
    assert main(["convert", "--source", "folder", *folders, *options, *hdfs]) == 0
    assert set(seen) == {("store", "9870")}
