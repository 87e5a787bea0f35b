"""Nodes that compute nothing: one process answers at once, with the same values, at many ports."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from edgesim.serve.protocol import open_inference_pb2 as wire
from tests.edgesim.command import ROOT, environment
from tests.edgesim.serve.fake import start_fake_nodes


def reply(name: str, values: int) -> bytes:
    """Return an answer as a node gives it, without model and id: one tensor, and times."""
    message = wire.ModelInferResponse()
    for key in ("queue_ns", "compute_ns", "processor_ns", "batch", "waiting"):
        message.parameters[key].int64_param = 1
    message.outputs.add(name=name, datatype="FP32", shape=(1, values))
    message.raw_output_contents.append(np.zeros(values, "<f4").tobytes())
    return message.SerializeToString()


async def serve(keys: Path, nodes: int, features: int, classes: int) -> None:
    """Answer until the process is ended; the first line of stdout has the addresses."""
    ready = wire.ModelReadyResponse(ready=True).SerializeToString()
    answers = {True: reply("logits", classes), False: reply("features", features)}

    async def model_ready(request: bytes, context: Any) -> bytes:
        return ready

    async def model_infer(request: bytes, context: Any) -> bytes:
        # Model, version and id are the first fields of the request, and of the answer: a message
        # that follows another one in the same bytes is merged with it.
        asked = wire.ModelInferRequest.FromString(request)
        named = wire.ModelInferResponse(
            model_name=asked.model_name, model_version=asked.model_version, id=asked.id
        )
        return named.SerializeToString() + answers[asked.model_name == "fusion"]

    methods = {"ModelReady": model_ready, "ModelInfer": model_infer}
    server = await start_fake_nodes(keys, nodes, methods)
    await server.wait_for_termination()


@contextmanager
def null_nodes(keys: Path, nodes: int, features: int, classes: int) -> Iterator[list[str]]:
    """Start their process; return their addresses. It does not outlive its test.

    Args:
        keys: folder of the nodes' keys.
        nodes: how many.
        features: values of a part's answer.
        classes: values of the fusion's.
    """
    command = [sys.executable, "-m", "tests.benchmarks.null_nodes", keys, nodes, features, classes]
    process = subprocess.Popen(
        list(map(str, command)), cwd=ROOT, env=environment(), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        try:
            yield process.stdout.readline().split()
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    asyncio.run(serve(Path(sys.argv[1]), *map(int, sys.argv[2:])))
