"""What a node's inference service tells while it has nothing to serve, over real gRPC."""

from __future__ import annotations

import asyncio
import logging

import grpc
import pytest

from edgesim.hardware import Queue
from edgesim.serve.engine import Engine
from edgesim.serve.inference import Inference
from edgesim.serve.jobs import JobQueue
from edgesim.serve.models import Serving
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.services import MODEL_READY, SERVER_READY
from edgesim.serve.telemetry import Metrics


async def ask(serving: Serving) -> tuple[bool, bool | tuple[grpc.StatusCode, str]]:
    """Return whether the server is ready, and whether a model of it is, or its refusal."""
    server = grpc.aio.server()
    engine = Engine(JobQueue(Queue(limit=1)), threads=1, batch_max=1, batch_wait_s=0.0)
    log = logging.getLogger("test")
    Inference(serving, engine, Metrics(), log).register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        whole = (await SERVER_READY.on(channel)(wire.ServerReadyRequest())).ready
        try:
            one = (await MODEL_READY.on(channel)(wire.ModelReadyRequest(name="part-0"))).ready
        except grpc.aio.AioRpcError as error:
            one = (error.code(), error.details())
    await server.stop(None)
    return whole, one


@pytest.mark.parametrize("starting", [True, False])
def test_a_node_that_is_starting_is_asked_again_and_one_without_the_model_is_not(
    starting: bool,
) -> None:
    serving = Serving()
    serving.starting = starting
    asked_again = (grpc.StatusCode.UNAVAILABLE, "the node is starting: it loads its models")
    assert asyncio.run(ask(serving)) == (False, asked_again if starting else False)
