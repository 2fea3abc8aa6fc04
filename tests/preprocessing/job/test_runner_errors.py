"""A runner that cannot do the work ends the job in one line: what it said, and what to do."""

import pytest

from preprocessing.__main__ import main
from preprocessing.errors import ShardFailure
from preprocessing.job import beam_job
from tests.preprocessing.job.flink_cluster import free_port

LOOPBACK = ("--environment_type", "LOOPBACK")


def arguments(source, output, *more):
    asked = ("--source", "ilsvrc2012", "--image-size", "16", "--max-rejects", "1")
    return ["convert", *asked, "--input", str(source), "--output", str(output), *more]


@pytest.mark.parametrize("endpoint", ["127.0.0.1:{port}", "nowhere", "127.0.0.1:99999999999"])
def test_no_job_server(archives, tmp_path, capsys, endpoint):
    endpoint = endpoint.format(port=free_port())
    more = ("--runner", "PortableRunner", "--job_endpoint", endpoint, *LOOPBACK)
    assert main(arguments(archives, tmp_path / "out", *more)) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert f"expected Beam's job server at --job_endpoint {endpoint}, none answers" in line


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--runner", "NoSuchRunner"], "Unexpected pipeline runner: NoSuchRunner"),
        (["--runner", "FlinkRunner", "--flink_job_server_jar", "/no/such.jar"], "/no/such.jar"),
    ],
)
def test_a_runner_that_cannot_begin(archives, tmp_path, capsys, more, words):
    assert main(arguments(archives, tmp_path / "out", *more, *LOOPBACK)) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert words in line
    assert "Finished shards are kept" in line


class KilledWorker(Exception):
    """As Dask calls it."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KilledWorker("\n  Attempted to run\ntwice"), "KilledWorker: Attempted to run;"),
        (RuntimeError("Pipeline x failed in state FAILED: lost"), "RuntimeError: Pipeline x fail"),
        (ValueError(""), "ValueError: it does not say why;"),
        (RuntimeError(f"a\n{ShardFailure.because('train-0: disk full')} b"), "train-0: disk full;"),
    ],
)
def test_whatever_a_runner_raises(archives, tmp_path, capsys, monkeypatch, error, expected):
    class Pipeline:
        def __init__(self, *given):
            raise error

    monkeypatch.setattr(beam_job.beam, "Pipeline", Pipeline)
    assert main(arguments(archives, tmp_path / "out", "--runner", "DaskRunner")) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert expected in line


def test_a_fault_of_our_own_is_not_taken_for_the_runners(archives, tmp_path, monkeypatch):
    def fail(*given):
        raise ZeroDivisionError

    monkeypatch.setattr(beam_job.beam, "Pipeline", fail)
    with pytest.raises(ZeroDivisionError):
        main(arguments(archives, tmp_path / "out", "--direct_running_mode", "in_memory"))
