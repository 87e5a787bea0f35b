"""The admin service of a node, which receives models; only admins may call it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric import ed25519
from grpc import StatusCode

from edgesim.serve import machine
from edgesim.serve.access import Access
from edgesim.serve.activation import Activation
from edgesim.serve.engine import Engine
from edgesim.serve.manifest import verify
from edgesim.serve.models import Serving
from edgesim.serve.protocol import admin_pb2 as wire
from edgesim.serve.queues import from_message, queue_text
from edgesim.serve.refusal import RefusalError, invalid
from edgesim.serve.services import ACTIVATE, OFFER, STATUS, UPLOAD, Method, only_message, register
from edgesim.serve.store import Store, Upload
from edgesim.serve.telemetry import log_event
from edgesim.version import __version__

_Context = grpc.aio.ServicerContext[Any, Any]
_HEADER_BYTES = 1 << 20
"""Size of a file beside its weights: names and shapes."""
_SILENCE_S = 60.0
"""Time without data after which an upload is ended."""


@dataclass(eq=False)
class Admin:
    """Answers the four methods of the admin service.

    Attributes:
        name: name of the node.
        access: keys of the node.
        trusted: public key of the manifests that it accepts.
        store: files of the node.
        serving: models that are served.
        engine: queue and computing thread.
        activation: loads and replaces models.
        logger: log of the node.
    """

    name: str
    access: Access
    trusted: ed25519.Ed25519PublicKey
    store: Store
    serving: Serving
    engine: Engine
    activation: Activation
    logger: logging.Logger
    _uploads: dict[str, Upload] = field(default_factory=dict)

    def register(self, server: grpc.aio.Server) -> None:
        """Register the methods at ``server``."""
        methods: dict[Method, Callable[..., Awaitable[Any]]] = {
            STATUS: self.status,
            OFFER: self.offer,
            UPLOAD: self.upload,
            ACTIVATE: self.activate,
        }
        register(
            server,
            {method: self._for_admins(method, serve) for method, serve in methods.items()},
            self.logger,
            unread=True,
        )

    def _for_admins(
        self, method: Method, serve: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        async def only(request: AsyncIterator[Any], context: _Context) -> Any:
            try:
                self.access.check_admin(
                    context.auth_context() or {}, context.invocation_metadata() or ()
                )
                if self.serving.draining and serve != self.status:
                    raise RefusalError(StatusCode.UNAVAILABLE, "the node is shutting down")
                if not method.streams:
                    return await serve(await only_message(request), context)
                return await serve(request, context)
            except RefusalError as error:
                log_event(
                    self.logger,
                    "refused",
                    logging.WARNING,
                    method=serve.__name__,
                    peer=context.peer(),
                    reason=error.code.name,
                    message=str(error),
                )
                raise

        only.__name__ = serve.__name__
        return only

    async def status(self, request: wire.StatusRequest, context: _Context) -> wire.StatusReply:
        """Answer with the state of the node."""
        return wire.StatusReply(
            name=self.name,
            version=__version__,
            draining=self.serving.draining,
            manifest_sha256=self.serving.manifest,
            models=[
                wire.Model(
                    name=model.name, sha256=model.sha256, bytes=self.store.have_bytes(model.sha256)
                )
                for model in self.serving.models.values()
            ],
            waiting=len(self.engine.queue),
            running=self.engine.running,
            disk_free_bytes=self.store.free_bytes,
            memory_available_bytes=machine.available_memory_bytes(),
        )

    async def offer(self, request: wire.OfferRequest, context: _Context) -> wire.OfferReply:
        """Store a signed manifest, and answer which files are missing.

        Raises:
            RefusalError: the signature is not good, a model is unknown or of another file, or disk
                or memory do not suffice.
        """
        manifest = verify(request.manifest, request.signature, self.trusted)
        queue = from_message(request.queue) if request.HasField("queue") else None
        if not request.models:
            raise invalid("no models are named")
        entries = []
        for model in request.models:
            entry = manifest.entry(model.name)
            if model.sha256 != entry.sha256:
                raise RefusalError(
                    StatusCode.PERMISSION_DENIED,
                    f"{entry.name} is {entry.sha256[:12]}… by the signed manifest, "
                    f"not {model.sha256[:12]!r}…",
                )
            if not 0 < model.bytes <= entry.model.bytes + _HEADER_BYTES:
                raise invalid(
                    f"{entry.name} has {entry.model.bytes} bytes of weights: "
                    f"its file cannot have {model.bytes}"
                )
            entries.append(entry)
        async with self.activation.lock:
            self.activation.check_memory(entries)
            # One that was damaged on disk is missing.
            whole = {
                model.sha256: await asyncio.to_thread(self.store.is_whole, model.sha256)
                for model in request.models
            }
            files = [(model.sha256, model.bytes) for model in request.models]
            self.store.offer(manifest, files, self.trusted)
        log_event(self.logger, "offered", artifact=manifest.manifest.name, manifest=manifest.sha256)
        return wire.OfferReply(
            manifest_sha256=manifest.sha256,
            files=[
                wire.OfferReply.File(
                    sha256=model.sha256,
                    have_bytes=self.store.have_bytes(model.sha256),
                    whole=whole[model.sha256],
                )
                for model in request.models
            ],
            active=all(whole.values())
            and self.activation.is_active(
                manifest, [model.name for model in request.models], queue
            ),
        )

    async def upload(
        self, request: AsyncIterator[wire.UploadRequest], context: _Context
    ) -> wire.UploadReply:
        """Store one file.

        Raises:
            RefusalError: it is in no manifest that was offered, is cut short, too long, or of
                another hash, or the disk is full.
        """
        stream = aiter(request)
        header = (await _next(stream) or wire.UploadRequest()).header
        if not header.sha256:
            raise invalid("an upload begins with its header")
        # The lock is not held while pieces come: a slow client would keep all others waiting.
        async with self.activation.lock:
            self._check_offered(header)
            if (other := self._uploads.get(header.sha256)) is not None:
                # Of a client that has lost its connection, and tries again.
                other.replace()
            incoming = self.store.receive(header.sha256, header.bytes, header.offset)
            self._uploads[header.sha256] = incoming
        try:
            with incoming:
                while (piece := await _next(stream)) is not None:
                    if piece.WhichOneof("piece") != "chunk":
                        raise invalid("a chunk was expected")
                    incoming.write(piece.chunk)
                await asyncio.to_thread(incoming.finish)
        finally:
            if self._uploads.get(header.sha256) is incoming:
                del self._uploads[header.sha256]
        log_event(
            self.logger,
            "stored",
            sha256=header.sha256,
            bytes=header.bytes,
            resumed_at=header.offset,
        )
        return wire.UploadReply(received_bytes=incoming.received_bytes)

    def _check_offered(self, header: wire.UploadHeader) -> None:
        for manifest in self.store.manifests(self.trusted):
            for entry in manifest.entries.values():
                if entry.sha256 == header.sha256:
                    if header.bytes > entry.model.bytes + _HEADER_BYTES:
                        message = f"{entry.name} cannot have {header.bytes} bytes"
                        raise invalid(message)
                    return
        raise RefusalError(
            StatusCode.FAILED_PRECONDITION,
            f"no manifest that was offered names {header.sha256[:12]!r}…; offer it first",
        )

    async def activate(
        self, request: wire.ActivateRequest, context: _Context
    ) -> wire.ActivateReply:
        """Load models, warm them up and serve them.

        Raises:
            RefusalError: see :meth:`edgesim.serve.activation.Activation.activate`.
        """
        async with self.activation.lock:
            manifest = self.store.manifest(request.manifest_sha256, self.trusted)
            queue = from_message(request.queue) if request.HasField("queue") else None
            loaded = await self.activation.activate(manifest, request.models, queue)
        log_event(
            self.logger,
            "serving",
            artifact=manifest.manifest.name,
            manifest=manifest.sha256,
            models=list(self.serving.models),
            queue=queue_text(self.engine.queue.settings),
        )
        return wire.ActivateReply(models=loaded)


async def _next(stream: AsyncIterator[wire.UploadRequest]) -> wire.UploadRequest | None:
    """Return the next piece of an upload, or None at its end."""
    try:
        async with asyncio.timeout(_SILENCE_S):
            return await anext(stream, None)
    except TimeoutError:
        raise RefusalError(
            StatusCode.ABORTED, f"nothing came for {_SILENCE_S:g} s; go on from what is here"
        ) from None
