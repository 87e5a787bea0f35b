"""What Triton's public gRPC client sees of a node, as JSON on stdout; for test_triton.py.

A process of its own: the messages of client and node have the same names, and one process can know
only one of them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

METHODS = (
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelInfer",
)


def main(address: str, keys: Path, images: Path, logits: Path) -> dict[str, Any]:
    client = triton.InferenceServerClient(
        address,
        ssl=True,
        root_certificates=str(keys / "ca.pem"),
        private_key=str(keys / "key.pem"),
        certificate_chain=str(keys / "cert.pem"),
    )
    pixels = np.load(images)
    given = triton.InferInput("input", list(pixels.shape), "FP32")
    given.set_data_from_numpy(pixels)
    answer = client.infer(
        "part-0", [given], outputs=[triton.InferRequestedOutput("logits")], request_id="42"
    )
    np.save(logits, answer.as_numpy("logits"))
    later: list[Any] = []
    call = client.async_infer(
        "part-0", [given], callback=lambda result, error: later.append(error or result)
    )
    del call
    seen = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "models": {name: client.is_model_ready(name) for name in ("part-0", "part-1")},
        "server": client.get_server_metadata(as_json=True),
        "model": client.get_model_metadata("part-0", as_json=True),
        "id": answer.get_response().id,
        "timings": {key: one.int64_param for key, one in answer.get_response().parameters.items()},
        "errors": {
            "unknown model": error(client.infer, "part-1", [given]),
            "timeout": error(client.infer, "part-0", [given], client_timeout=1e-6),
            "shape": error(client.infer, "part-0", [wrong(pixels)]),
            "classes": error(
                client.infer,
                "part-0",
                [given],
                outputs=[triton.InferRequestedOutput("logits", class_count=2)],
            ),
            "extension": error(client.get_model_config, "part-0"),
        },
    }
    client.close()  # waits for what is under way
    (result,) = later
    seen["asynchronous"] = bool(np.array_equal(result.as_numpy("logits"), np.load(logits)))
    return {**seen, "wire": wire()}


def wrong(pixels: np.ndarray) -> triton.InferInput:
    made = triton.InferInput("input", [len(pixels), 32 * 32], "FP32")
    made.set_data_from_numpy(pixels.reshape(len(pixels), -1))
    return made


def error(call: Any, *arguments: Any, **named: Any) -> list[str]:
    try:
        call(*arguments, **named)
    except InferenceServerException as caught:
        return [str(caught.status()), str(caught.message())]
    return ["none", ""]


def wire() -> dict[str, dict[str, list[int]]]:
    """Return number and type of every field that the six methods can carry, by message."""
    service = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    found: dict[str, dict[str, list[int]]] = {}

    def walk(message: Any) -> None:
        if message.full_name in found:
            return
        found[message.full_name] = {
            field.name: [field.number, field.type, int(field.is_repeated)]
            for field in message.fields
        }
        for field in message.fields:
            if field.message_type is not None:
                walk(field.message_type)

    for method in METHODS:
        walk(service.methods_by_name[method].input_type)
        walk(service.methods_by_name[method].output_type)
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], *map(Path, sys.argv[2:]))))
