"""Keeps what Beam serves to local workers from other machines.

Beam's local runner, and its workers for ``--environment_type LOOPBACK``, talk by gRPC, without
passwords, over ports that Beam opens on all interfaces; one of the services hands out any file
that this process may read. Here the ports are bound to the loopback interface, whoever opens them,
and that service answers nobody: local workers find the package where it is.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc

_EVERYWHERE = ("[::]", "0.0.0.0", "")
_ARTIFACTS = "ArtifactRetrievalService/"


class _NoArtifacts(grpc.ServerInterceptor):
    """Refuses each request for a file."""

    def intercept_service(
        self, continuation: Callable, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        handler = continuation(details)
        if handler is None or _ARTIFACTS not in details.method:
            return handler
        kind = (
            grpc.unary_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return kind(_refuse, handler.request_deserializer, handler.response_serializer)


def _refuse(request: Any, context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.PERMISSION_DENIED, "no files are served here")


@contextlib.contextmanager
def only_on_loopback() -> Iterator[None]:
    """gRPC servers that this process makes meanwhile serve this machine alone, and no files."""
    make = grpc.server

    def make_guarded(
        thread_pool: Any,
        handlers: Sequence | None = None,
        interceptors: Sequence | None = None,
        **more: Any,
    ) -> grpc.Server:
        server = make(thread_pool, handlers, (*(interceptors or ()), _NoArtifacts()), **more)
        bind = server.add_insecure_port
        server.add_insecure_port = lambda address: bind(_on_loopback(address))
        return server

    grpc.server = make_guarded
    try:
        yield
    finally:
        grpc.server = make


def _on_loopback(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"localhost:{port}" if host in _EVERYWHERE else address
