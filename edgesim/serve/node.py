"""A node: the two servers, the engine between them, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric import ed25519
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from edgesim.common.errors import InputError
from edgesim.serve import connections, reading
from edgesim.serve.access import Access
from edgesim.serve.activation import Activation
from edgesim.serve.addresses import join_address, split_address
from edgesim.serve.admin import Admin
from edgesim.serve.engine import Engine
from edgesim.serve.inference import Inference
from edgesim.serve.jobs import JobQueue
from edgesim.serve.models import Serving
from edgesim.serve.options import NodeOptions
from edgesim.serve.reading import Reading
from edgesim.serve.refusal import RefusalError
from edgesim.serve.services import INFERENCE
from edgesim.serve.store import Store
from edgesim.serve.telemetry import Metrics, log_event

CHUNK_BYTES = 1 << 20
"""Largest chunk of an upload."""
_MANIFEST_BYTES = 4 << 20
_HEADERS_BYTES = 4 << 10
"""Headers of a call, at most."""
_STREAMS = 100
"""Calls that one connection may have open."""
_CALLS = 1024
"""Calls that all of them may have open."""
_SILENCE_S = 30.0
"""Silence of a connection after which the node asks whether the client is there."""
_ANSWER_S = 10.0
"""Time for the client to answer that."""
_LAST_ANSWERS_S = 5.0
"""Time to send the last answers."""


@dataclass(eq=False)
class Node:
    """One node, from its options to its end.

    Attributes:
        options: options of the command line.
        access: keys of the node.
        trusted: public key of the manifests that it accepts.
        store: files of the node.
        logger: log of its events.
    """

    options: NodeOptions
    access: Access
    trusted: ed25519.Ed25519PublicKey
    store: Store
    logger: logging.Logger
    _serving: Serving = field(default_factory=Serving)
    _metrics: Metrics = field(default_factory=Metrics)
    _health: health.aio.HealthServicer = field(default_factory=health.aio.HealthServicer)

    def __post_init__(self) -> None:
        options = self.options
        self._engine = Engine(
            JobQueue(options.queue_settings),
            threads=options.threads,
            batch_max=options.batch,
            batch_wait_s=options.batch_wait_s,
        )
        self._reading = Reading(options.max_message_bytes, self.logger)
        self._metrics.waiting.set_function(lambda: len(self._engine.queue))
        self._metrics.running.set_function(lambda: self._engine.running)

    async def run(self) -> bool:
        """Serve until SIGTERM or SIGINT; return whether all requests were answered.

        Raises:
            InputError: it cannot listen.
        """
        options = self.options
        files = connections.raise_file_limit()
        reading.return_freed_memory()
        stopped, computed = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        activation = Activation(
            self.store, self._serving, self._engine, self._metrics, options.memory_bytes,
            self._update_health, options.queue_settings, emulate=options.emulated_device(),
        )  # fmt: skip
        with ExitStack() as stack:
            inference, listens = self._inference_server()
            admin, admin_listens = self._admin_server(activation)
            metrics = await self._serve_metrics(stack)
            self._engine.start(lambda: loop.call_soon_threadsafe(computed.set))
            await self._update_health()
            await inference.start()
            await admin.start()
            log_event(
                self.logger, "listening", inference=listens, admin=admin_listens, metrics=metrics,
                tls=not options.plain, name=options.name,
                emulates=options.emulate, descriptors=files,
            )  # fmt: skip
            ports = {split_address(one)[1] for one in (listens, admin_listens, metrics) if one}
            watching = asyncio.create_task(connections.watch(ports, self.logger))
            stack.callback(watching.cancel)
            timing = asyncio.create_task(self._reading.watch({split_address(listens)[1]}))
            stack.callback(timing.cancel)
            await self._restore(activation)
            await stopped.wait()
            for number in (signal.SIGTERM, signal.SIGINT):
                # A second signal ends at once; files on disk are complete at any moment.
                loop.add_signal_handler(number, os._exit, 1)
            return await self._drain(inference, admin, computed)

    def _inference_server(self) -> tuple[grpc.aio.Server, str]:
        options = self.options
        server = grpc.aio.server(
            options=[*_channel_options(options.max_message_bytes), *reading.options()],
            interceptors=[self._reading],
            maximum_concurrent_rpcs=_CALLS,
        )
        Inference(self._serving, self._engine, self._metrics, self.logger).register(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (INFERENCE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        return server, _bind(
            server, options.listen, self.access, known_clients=not options.any_client
        )

    def _admin_server(self, activation: Activation) -> tuple[grpc.aio.Server, str]:
        server = grpc.aio.server(
            options=_channel_options(max(CHUNK_BYTES, _MANIFEST_BYTES) + (1 << 16))
        )
        Admin(
            self.options.name,
            self.access,
            self.trusted,
            self.store,
            self._serving,
            self._engine,
            activation,
            self.logger,
        ).register(server)
        try:
            listens = _bind(server, self.options.admin_address, self.access, known_clients=True)
        except InputError as error:
            raise InputError(f"admin service: {error}; name another with --admin") from error
        return server, listens

    async def _serve_metrics(self, stack: ExitStack) -> str | None:
        if self.options.metrics is None:
            return None
        host, port = split_address(self.options.metrics)
        try:
            server = await self._metrics.listen(host, port)
        except OSError as error:
            where = self.options.metrics
            raise InputError(f"cannot listen on {where}: {error.strerror or error}") from error
        stack.callback(server.close)
        return join_address(host, server.sockets[0].getsockname()[1])

    async def _restore(self, activation: Activation) -> None:
        """Serve the models of before the node ended; without any, wait for a deployment."""
        async with activation.lock:
            try:
                active = self.store.active()
                if active is not None:
                    manifest = self.store.manifest(active.manifest, self.trusted)
                    await activation.activate(manifest, active.models, active.queue)
            except RefusalError as error:
                log_event(self.logger, "not restored", logging.ERROR, reason=str(error))
            finally:
                self._serving.starting = False
        log_event(self.logger, "ready", models=list(self._serving.models))

    async def _update_health(self) -> None:
        state = health_pb2.HealthCheckResponse
        status = state.SERVING if self._serving.ready else state.NOT_SERVING
        for service in ("", INFERENCE):
            await self._health.set(service, status)

    async def _drain(
        self, inference: grpc.aio.Server, admin: grpc.aio.Server, computed: asyncio.Event
    ) -> bool:
        """Answer the requests in the queue, refuse new ones, and stop."""
        log_event(self.logger, "draining", waiting=len(self._engine.queue))
        self._serving.draining = True
        await self._update_health()
        self._engine.queue.close()
        whole = True
        try:
            await asyncio.wait_for(computed.wait(), self.options.drain_s)
        except TimeoutError:
            whole = False
            self._engine.queue.abandon()
        await asyncio.gather(inference.stop(_LAST_ANSWERS_S), admin.stop(_LAST_ANSWERS_S))
        log_event(self.logger, "ended", whole=whole)
        return whole


def _channel_options(max_message_bytes: int) -> list[tuple[str, Any]]:
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_concurrent_streams", _STREAMS),
        ("grpc.max_metadata_size", _HEADERS_BYTES),
        ("grpc.absolute_max_metadata_size", _HEADERS_BYTES),
        # A client that lost power does not close its connection: it is closed within a minute.
        ("grpc.keepalive_time_ms", round(_SILENCE_S * 1e3)),
        ("grpc.keepalive_timeout_ms", round(_ANSWER_S * 1e3)),
        ("grpc.keepalive_permit_without_calls", 1),
        # Two nodes on one port would share its clients, at random.
        ("grpc.so_reuseport", 0),
        *connections.channel_options(),
    ]


def _bind(server: grpc.aio.Server, address: str, access: Access, *, known_clients: bool) -> str:
    """Return HOST:PORT where a server will listen.

    Raises:
        InputError: it cannot.
    """
    host, port = split_address(address)
    credentials = access.server_credentials(known_clients=known_clients)
    where = join_address(host, port)
    try:
        if credentials is None:
            port = server.add_insecure_port(where)
        else:
            port = server.add_secure_port(where, credentials)
    except RuntimeError as error:
        raise InputError(
            f"cannot listen on {address}: it is in use, or not an address of this machine"
        ) from error
    return join_address(host, port)
