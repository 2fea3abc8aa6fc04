"""A worker process as a runner starts it: --environment_type PROCESS, for instance on Flink.

    python -m preprocessing.job.worker_process --id=ID --provision_endpoint=HOST:PORT

The runner appends these arguments to the command of its --environment_config. What Beam's worker
must know it asks the runner's provision service for. (Beam's containers have a program in Go for
that; its Python package has none.)
"""

import argparse
import os
import sys
from collections.abc import Sequence

import grpc
from apache_beam.portability.api import (
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
    endpoints_pb2,
)
from google.protobuf import json_format, text_format

_WAIT = 60  # seconds for the runner to answer


def environment(worker_id: str, info: beam_provision_api_pb2.ProvisionInfo) -> dict[str, str]:
    """What Beam's worker reads from its environment, from what the runner provides."""
    return {
        "WORKER_ID": worker_id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "CONTROL_API_SERVICE_DESCRIPTOR": _descriptor(info.control_endpoint),
        "LOGGING_API_SERVICE_DESCRIPTOR": _descriptor(info.logging_endpoint),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }


def _descriptor(endpoint: endpoints_pb2.ApiServiceDescriptor) -> str:
    return text_format.MessageToString(endpoint)


def provisioned(worker_id: str, address: str) -> beam_provision_api_pb2.ProvisionInfo:
    """Asks the runner's provision service. Raises grpc.RpcError if it does not answer."""
    with grpc.insecure_channel(address) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        metadata = (("worker_id", worker_id),)
        return service.GetProvisionInfo(request, timeout=_WAIT, metadata=metadata).info


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m preprocessing.job.worker_process")
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True, metavar="HOST:PORT")
    arguments, _ = parser.parse_known_args(argv)  # runners may say more than is needed
    try:
        info = provisioned(arguments.id, arguments.provision_endpoint)
    except grpc.RpcError as error:
        print(f"the runner at {arguments.provision_endpoint} does not answer: {error.details()}")
        return 1
    os.environ.update(environment(arguments.id, info))
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main([sys.argv[0]])
    return 0


if __name__ == "__main__":
    sys.exit(main())
