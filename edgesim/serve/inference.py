"""The service of the Open Inference Protocol: what clients of a node see."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from grpc import StatusCode

from edgesim.serve import messages
from edgesim.serve.engine import Engine
from edgesim.serve.jobs import Answer, Job
from edgesim.serve.models import Model, Serving
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.queues import to_extension
from edgesim.serve.refusal import RefusalError, shutting_down
from edgesim.serve.services import (
    MODEL_INFER,
    MODEL_METADATA,
    MODEL_READY,
    SERVER_LIVE,
    SERVER_METADATA,
    SERVER_READY,
    Method,
    register,
)
from edgesim.serve.telemetry import Metrics, log_event
from edgesim.version import __version__

_Context = grpc.aio.ServicerContext[Any, Any]
_UNKNOWN = "unknown"
"""Label in the counts for models that are not served."""


@dataclass(eq=False)
class Inference:
    """Answers the six methods of the protocol.

    Attributes:
        serving: models that are served.
        engine: queue and computing thread.
        metrics: counts of the node.
        logger: log of the node.
    """

    serving: Serving
    engine: Engine
    metrics: Metrics
    logger: logging.Logger

    def register(self, server: grpc.aio.Server) -> None:
        """Register the methods at ``server``."""
        methods: dict[Method, Callable[..., Awaitable[Any]]] = {
            SERVER_LIVE: self.server_live,
            SERVER_READY: self.server_ready,
            MODEL_READY: self.model_ready,
            SERVER_METADATA: self.server_metadata,
            MODEL_METADATA: self.model_metadata,
            MODEL_INFER: self.model_infer,
        }
        register(server, methods, self.logger)

    async def server_live(
        self, request: wire.ServerLiveRequest, context: _Context
    ) -> wire.ServerLiveResponse:
        """Answer that the process lives."""
        return wire.ServerLiveResponse(live=True)

    async def server_ready(
        self, request: wire.ServerReadyRequest, context: _Context
    ) -> wire.ServerReadyResponse:
        """Answer whether requests are accepted."""
        return wire.ServerReadyResponse(ready=self.serving.ready)

    async def model_ready(
        self, request: wire.ModelReadyRequest, context: _Context
    ) -> wire.ModelReadyResponse:
        """Answer whether requests for a model are accepted; UNAVAILABLE while the node starts."""
        try:
            self.serving.find(request.name, request.version)
        except RefusalError as refusal:
            if refusal.code is StatusCode.UNAVAILABLE:
                raise
            return wire.ModelReadyResponse(ready=False)
        return wire.ModelReadyResponse(ready=self.serving.ready)

    async def server_metadata(
        self, request: wire.ServerMetadataRequest, context: _Context
    ) -> wire.ServerMetadataResponse:
        """Answer name and version of the server, and its queue among the extensions."""
        return wire.ServerMetadataResponse(
            name="edgesim",
            version=__version__,
            extensions=[to_extension(self.engine.queue.settings)],
        )

    async def model_metadata(
        self, request: wire.ModelMetadataRequest, context: _Context
    ) -> wire.ModelMetadataResponse:
        """Answer the inputs and outputs of a model."""
        return messages.metadata(self.serving.find(request.name, request.version))

    async def model_infer(
        self, request: wire.ModelInferRequest, context: _Context
    ) -> wire.ModelInferResponse:
        """Answer one inference.

        Raises:
            RefusalError: with the status that the client gets.
        """
        code, name, number = "OK", _UNKNOWN, request.id
        try:
            if self.serving.draining:
                raise shutting_down()
            model = self.serving.find(request.model_name, request.model_version)
            name = model.name
            asked = messages.read(request, model)
            # The message has copies of the tensors: it need not wait with them.
            del request
            return await self._infer(asked, model, context.time_remaining())
        except RefusalError as error:
            code = error.code.name
            raise
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except Exception:
            code = StatusCode.INTERNAL.name
            raise
        finally:
            self.metrics.requests.labels(name, code).inc()
            log_event(self.logger, "inference", logging.DEBUG, model=name, code=code, id=number)

    async def _infer(
        self, asked: messages.InferenceRequest, model: Model, left_s: float | None
    ) -> wire.ModelInferResponse:
        self.metrics.received_bytes.inc(asked.raw_bytes)
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Answer] = loop.create_future()

        def settle(found: Answer | RefusalError) -> None:
            if result.done():
                return  # the client has gone
            if isinstance(found, RefusalError):
                result.set_exception(found)
            else:
                result.set_result(found)

        job = Job(
            model=model,
            inputs=asked.inputs,
            outputs=asked.outputs,
            samples=asked.samples,
            done=lambda found: _resolve(loop, settle, found),
            deadline_s=math.inf if left_s is None else time.monotonic() + left_s,
            due_s=math.inf if asked.due_in_s is None else time.monotonic() + asked.due_in_s,
            priority=asked.priority,
            source=asked.source,
        )
        waiting = self.engine.admit(job)
        try:
            found = await result
        except asyncio.CancelledError:
            # The client has gone, or its deadline passed: nobody waits for the answer.
            self.engine.queue.withdraw(job)
            raise
        except RefusalError as error:
            if error.code is StatusCode.INTERNAL:
                self.logger.error("model failed", exc_info=error.__cause__)
            raise
        self.metrics.samples.labels(model.name).inc(asked.samples)
        self.metrics.queue_s.labels(model.name).observe(found.queue_s)
        self.metrics.compute_s.labels(model.name).observe(found.compute_s)
        self.metrics.batch.labels(model.name).observe(found.batch)
        self.metrics.sent_bytes.inc(sum(tensor.nbytes for tensor in found.outputs.values()))
        return messages.answer(asked.id, model, found, waiting)


def _resolve(loop: asyncio.AbstractEventLoop, settle: Any, found: Answer | RefusalError) -> None:
    """Set a future's result from the computing thread, unless its loop has ended."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(settle, found)
