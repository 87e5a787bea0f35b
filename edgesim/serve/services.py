"""The two services of a node as tables of methods, for servers and for clients."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from edgesim.serve.protocol import admin_pb2, open_inference_pb2
from edgesim.serve.refusal import RefusalError, invalid

T = TypeVar("T")

INFERENCE = "inference.GRPCInferenceService"
ADMIN = "edgesim.admin.v1.Admin"

INPUT, FEATURES, LOGITS = "input", "features", "logits"
"""Names of the tensors of a part; those of the fusion's inputs are ``features-0`` …"""

DUE, PRIORITY, SOURCE = "due_ns", "priority", "source"
"""Parameters of a request, for the queue: time until its deadline, order, and its stream."""


def version_of(sha256: str) -> str:
    """Return the version of a model that requests name: the beginning of its file's hash."""
    return sha256[:12]


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a service; its answer is one message.

    Attributes:
        service: full name.
        name: name of the method.
        request_type: type of the request.
        reply_type: type of the answer.
        streams: whether the request is a stream of messages.
    """

    service: str
    name: str
    request_type: type[Message]
    reply_type: type[Message]
    streams: bool = False

    def on(self, channel: grpc.aio.Channel) -> Callable[..., Any]:
        """Return what calls the method over a channel; its reply is None where it is no message."""
        call = channel.stream_unary if self.streams else channel.unary_unary
        return call(
            f"/{self.service}/{self.name}",
            request_serializer=self.request_type.SerializeToString,
            response_deserializer=self.read_reply,
        )

    def read_reply(self, data: bytes) -> Message | None:
        """Return a reply; None where the bytes are none.

        Of an error raised here gRPC would print a traceback, and return None too.
        """
        try:
            return self.reply_type.FromString(data)
        except DecodeError:
            return None

    def handler(
        self, serve: Callable[..., Awaitable[Message]], *, unread: bool = False
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Return what a server registers so that ``serve(request, context)`` answers.

        Args:
            serve: answers.
            unread: give it every request as a stream, from which it reads.
        """
        make = (
            grpc.stream_unary_rpc_method_handler
            if self.streams or unread
            else grpc.unary_unary_rpc_method_handler
        )
        # Requests come as bytes, and are read where an answer can be given to those that are none.
        return make(serve, response_serializer=self.reply_type.SerializeToString)

    def read(self, data: bytes) -> Message:
        """Return a request.

        Raises:
            RefusalError: the bytes are none.
        """
        try:
            return self.request_type.FromString(data)
        except DecodeError:
            expected = self.request_type.DESCRIPTOR.full_name
            raise invalid(f"expected a message of type {expected}, got other bytes") from None


def _inference(name: str) -> Method:
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
    methods: dict[Method, Callable[..., Awaitable[Any]]],
    logger: logging.Logger,
    *,
    unread: bool = False,
) -> None:
    """Let a server answer methods, all of one service.

    With ``unread``, handlers are given every request as a stream: they may refuse before they read
    (`only_message`).

    A handler's :class:`RefusalError` becomes the status that it names; any other exception is
    logged, and the client learns no more of it than that there was one.
    """
    (service,) = {method.service for method in methods}
    handlers = {
        method.name: method.handler(_guarded(method, serve, logger), unread=unread)
        for method, serve in methods.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))


def _guarded(
    method: Method,
    serve: Callable[..., Awaitable[Message]],
    logger: logging.Logger,
) -> Callable[..., Awaitable[Message]]:
    @functools.wraps(serve)
    async def guarded(
        request: bytes | AsyncIterator[bytes],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> Message:
        try:
            if isinstance(request, bytes):
                pending = serve(method.read(request), context)
                # The message has a copy: what is large should not wait here too.
                del request
            else:
                pending = serve((method.read(data) async for data in request), context)
            return await pending
        except RefusalError as error:
            # Not the error itself, whose traceback holds what was refused.
            refusal = error.code, str(error)
        except Exception:
            logger.exception("failed", extra={"fields": {"method": method.name}})
            await context.abort(grpc.StatusCode.INTERNAL, "the node failed; see its log")
        await context.abort(*refusal)

    return guarded


async def only_message(request: AsyncIterator[T]) -> T:
    """Return the message of a request that came unread.

    Raises:
        RefusalError: there is none.
    """
    async for message in request:
        return message
    raise invalid("the call brought no message")
