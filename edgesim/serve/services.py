"""The two services of a node as tables of methods, for servers and for clients."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from edgesim.serve.protocol import admin_pb2, open_inference_pb2
from edgesim.serve.refusal import RefusalError, invalid

INFERENCE = "inference.GRPCInferenceService"
ADMIN = "edgesim.admin.v1.Admin"

Asks = TypeVar("Asks", bound=Message)
Replies = TypeVar("Replies", bound=Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[Asks, Replies]):
    """One method of a service; its answer is one message.

    Attributes:
        service: full name.
        name: name of the method.
        asks: type of the request.
        replies: type of the answer.
        streams: whether the request is a stream of messages.
    """

    service: str
    name: str
    asks: type[Asks]
    replies: type[Replies]
    streams: bool = False

    def on(self, channel: grpc.aio.Channel) -> Callable[..., Any]:
        """Return what calls the method over a channel."""
        call = channel.stream_unary if self.streams else channel.unary_unary
        return call(
            f"/{self.service}/{self.name}",
            request_serializer=self.asks.SerializeToString,
            response_deserializer=self.replies.FromString,
        )

    def handler(self, serve: Callable[..., Awaitable[Replies]]) -> grpc.RpcMethodHandler[Any, Any]:
        """Return what a server registers so that ``serve(request, context)`` answers."""
        make = (
            grpc.stream_unary_rpc_method_handler
            if self.streams
            else grpc.unary_unary_rpc_method_handler
        )
        # Requests come as bytes, and are read where an answer can be given to those that are none.
        return make(serve, response_serializer=self.replies.SerializeToString)

    def read(self, data: bytes) -> Asks:
        """Return a request.

        Raises:
            RefusalError: the bytes are none.
        """
        try:
            return self.asks.FromString(data)
        except DecodeError:
            message = (
                f"expected a message of type {self.asks.DESCRIPTOR.full_name}, got other bytes"
            )
            raise invalid(message) from None


def _inference(name: str) -> Method[Any, Any]:
    """Return a method of the Open Inference Protocol, whose messages are named after it."""
    asks, replies = (getattr(open_inference_pb2, f"{name}{end}") for end in ("Request", "Response"))
    return Method(INFERENCE, name, asks, replies)


SERVER_LIVE = _inference("ServerLive")
SERVER_READY = _inference("ServerReady")
MODEL_READY = _inference("ModelReady")
SERVER_METADATA = _inference("ServerMetadata")
MODEL_METADATA = _inference("ModelMetadata")
MODEL_INFER = _inference("ModelInfer")
STATUS = Method(ADMIN, "Status", admin_pb2.StatusRequest, admin_pb2.StatusReply)
OFFER = Method(ADMIN, "Offer", admin_pb2.OfferRequest, admin_pb2.OfferReply)
UPLOAD = Method(ADMIN, "Upload", admin_pb2.UploadRequest, admin_pb2.UploadReply, streams=True)
ACTIVATE = Method(ADMIN, "Activate", admin_pb2.ActivateRequest, admin_pb2.ActivateReply)


def register(
    server: grpc.aio.Server,
    methods: dict[Method[Any, Any], Callable[..., Awaitable[Any]]],
    logger: logging.Logger,
) -> None:
    """Let a server answer methods, all of one service.

    A handler's :class:`RefusalError` becomes the status that it names; any other exception is
    logged, and the client learns no more of it than that there was one.
    """
    (service,) = {method.service for method in methods}
    handlers = {
        method.name: method.handler(_guarded(method, serve, logger))
        for method, serve in methods.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))


def _guarded(
    method: Method[Asks, Replies],
    serve: Callable[..., Awaitable[Replies]],
    logger: logging.Logger,
) -> Callable[..., Awaitable[Replies]]:
    @functools.wraps(serve)
    async def guarded(
        request: bytes | AsyncIterator[bytes],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> Replies:
        try:
            if isinstance(request, bytes):
                return await serve(method.read(request), context)
            return await serve((method.read(data) async for data in request), context)
        except RefusalError as error:
            refusal = error
        except Exception:
            logger.exception("failed", extra={"fields": {"method": method.name}})
            await context.abort(grpc.StatusCode.INTERNAL, "the node failed; its log tells why")
        await context.abort(grpc.StatusCode[refusal.reason], str(refusal))

    return guarded
