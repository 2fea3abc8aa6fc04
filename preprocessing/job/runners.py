"""Which runner does the work: local processes if the user names none, or any other of Beam's."""

import contextlib
import copy
import io
import logging
import os
import shlex
import socket
import sys
from collections.abc import Sequence

from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from preprocessing.errors import DatasetError, JobError
from preprocessing.job.local_workers import WORKER
from preprocessing.job.worker_log import WorkerLog

# Beam's "DirectRunner" may fetch and start another program (Prism); this is the one meant here.
_LOCAL_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_LOCAL_RUNNERS = ("directrunner", "fnapirunner", _LOCAL_RUNNER.lower())
_DASK_PARTITIONS = ("--dask_npartitions", "--dask_partition_size")
_ANSWER_SECONDS = 30


def beam_options(arguments: Sequence[str], workers: int | None = None) -> PipelineOptions:
    """Beam's options; without a runner, as many local processes as the machine has cores.

    Raises:
        DatasetError: an option's value that is none, or an option that no local runner knows.
            (Other runners take options that Beam's Python part has never heard of.)
    """
    options = _parsed(arguments)
    if _is_dask(options) and not any(a.startswith(_DASK_PARTITIONS) for a in arguments):
        # An element is a shard; by default Dask would give 128 of them to one worker.
        return PipelineOptions([*arguments, "--dask_partition_size=1"])
    if not is_local(options):
        return options
    # Failures come back as exceptions; Beam would print their stack trace as well.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    known = options.get_all_options()
    unknown = set(options.get_all_options(retain_unknown_options=True)) - set(known)
    if unknown or (arguments and not arguments[0].startswith("-")):
        given = (word.partition("=")[0] for word in arguments)
        wrong = (word for word in given if word.lstrip("-").replace("-", "_") in unknown)
        name = next(wrong, arguments[0])  # as it was given: Beam's names have no hyphens
        raise DatasetError(f"expected options of convert or of Beam, received {name}; see --help")
    options.view_as(StandardOptions).runner = _LOCAL_RUNNER
    direct = options.view_as(DirectOptions)
    given = " ".join(arguments)
    if "--direct_running_mode" not in given:
        direct.direct_running_mode = "multi_processing"
    if workers is not None:
        direct.direct_num_workers = workers
    elif "--direct_num_workers" not in given:
        multiple = direct.direct_running_mode != "in_memory"
        direct.direct_num_workers = (os.cpu_count() or 1) if multiple else 1
    return options


def _parsed(arguments: Sequence[str]) -> PipelineOptions:
    """Of a mistake Beam would print the usage of all its options, and exit."""
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            options = PipelineOptions(list(arguments))
            options.get_all_options()  # each is looked at now, not when its runner starts
            return options
    except SystemExit as error:
        reason = told.getvalue().strip().rpartition("error: ")[2]
        raise DatasetError(f"cannot read Beam's options: {reason}") from error


def runner_and_options(
    options: PipelineOptions, log: WorkerLog
) -> tuple[PipelineRunner | None, PipelineOptions]:
    """For beam.Pipeline: the runner, None if Beam finds it by its name, and its options."""
    if not is_local(options):
        return None, options
    options = copy.deepcopy(options)
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode != "multi_processing":
        return FnApiRunner(), options
    # As Beam starts them, but what they print is much, and none is for the user.
    command = f"exec {shlex.quote(sys.executable)} -m {WORKER} >>{shlex.quote(log.path)} 2>&1"
    direct.direct_running_mode = "in_memory"  # the environment says it
    return FnApiRunner(SubprocessSDKEnvironment.from_command_string(command)), options


def is_local(options: PipelineOptions) -> bool:
    """Whether processes of this machine do the work, started by this one."""
    return (options.view_as(StandardOptions).runner or "DirectRunner").lower() in _LOCAL_RUNNERS


def check_reachable(options: PipelineOptions) -> None:
    """Beam would try for ever. Raises JobError: no job server answers at --job_endpoint."""
    endpoint = options.view_as(PortableOptions).job_endpoint
    if is_local(options) or not endpoint or endpoint == "embed":
        return
    host, _, port = endpoint.rpartition(":")
    try:
        if not port.isdigit():
            raise OSError("expected HOST:PORT")
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise JobError(
            f"expected Beam's job server at --job_endpoint {endpoint}, none answers: {error}; "
            "start it, or name another"
        ) from error


def _is_dask(options: PipelineOptions) -> bool:
    return (options.view_as(StandardOptions).runner or "").lower().endswith("daskrunner")
