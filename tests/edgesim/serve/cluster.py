"""Real nodes in processes of their own, and a plain client of them."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import torch
import yaml
from google.protobuf.message import Message

from edgesim.serve.keys import make_keys
from edgesim.serve.manifest import SignedManifest
from edgesim.serve.protocol import admin_pb2
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.services import ACTIVATE, MODEL_INFER, OFFER, STATUS, UPLOAD, Method
from partition.artifact import load_artifact
from tests.edgesim.command import COMMAND, ROOT, environment
from tests.edgesim.serve.forked import Forked
from tests.edgesim.serve.namespaces import IN_NETWORK, NETWORKS

ARTIFACT = ROOT / "examples" / "fashion-5"
PARTS = tuple(f"part-{number}" for number in range(5))
PATIENCE_S = 120.0
"""Until a process that does not answer counts as broken."""
FREE = "127.0.0.1:0"


class NodeProcess:
    """A running ``edgesim node``; its addresses are those that it told in its log."""

    def __init__(self, process: Forked | subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            # Every line is JSON; one that is not ends up in an event of its own, and in a test.
            try:
                self._lines.put(json.loads(line))
            except ValueError:
                self._lines.put({"event": "no JSON", "line": line})
        self._lines.put(None)

    def until(self, event: str) -> dict[str, Any]:
        """Wait for an event in the log."""
        while True:
            found = self._lines.get(timeout=PATIENCE_S)
            assert found is not None, f"ended before '{event}': {self.events}"
            self.events.append(found)
            if found["event"] == event:
                return found

    def told(self) -> list[dict[str, Any]]:
        """Return the log so far."""
        while not self._lines.empty():
            found = self._lines.get()
            if found is not None:
                self.events.append(found)
        return self.events

    def rest(self) -> list[dict[str, Any]]:
        """Wait for the end of the log and return all of it."""
        while (found := self._lines.get(timeout=PATIENCE_S)) is not None:
            self.events.append(found)
        return self.events

    def start(self) -> NodeProcess:
        heard = self.until("listening")
        self.inference, self.admin, self.metrics = (
            heard[key] for key in ("inference", "admin", "metrics")
        )
        self.served = self.until("ready")["models"]
        return self

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        self.send(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.process.wait(PATIENCE_S)


@contextmanager
def begun(
    store: Path, keys: Path, *options: str | Path, inside: Sequence[str] = ()
) -> Iterator[NodeProcess]:
    """Start a node on free ports without waiting for it; it does not outlive its test.

    ``inside`` is what the command begins with, of :meth:`Star.inside` or another one's.
    """
    options = ("--listen", FREE, "--store", store, "--keys", keys, *options)
    arguments = ["node", *map(str, options)]
    process: Forked | subprocess.Popen[str]
    if inside and inside[:-1] != IN_NETWORK:
        process = subprocess.Popen(
            [*inside, *COMMAND, *arguments], env=environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
    else:
        process = Forked(arguments, environment(), NETWORKS / inside[-1] if inside else None)
    assert process.stderr is not None
    running = NodeProcess(process)
    try:
        yield running
    finally:
        process.kill()
        process.wait()
        running.reader.join(PATIENCE_S)
        process.stderr.close()


@contextmanager
def node(
    store: Path, keys: Path, *options: str | Path, inside: Sequence[str] = ()
) -> Iterator[NodeProcess]:
    """Start a node on free ports of loopback, and wait until it is ready."""
    with begun(store, keys, *options, inside=inside) as running:
        yield running.start()


class Client:
    """Calls a server with some keys, or none."""

    def __init__(
        self,
        address: str,
        keys: Path | None,
        *,
        trusts: Path | None = None,
        token: Path | None = None,
    ) -> None:
        self._metadata = (("authorization", f"Bearer {token.read_text()}"),) if token else ()
        options = [("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0)]
        if keys is None and trusts is None:
            self.channel = grpc.insecure_channel(address, options)
        else:
            folder = keys or trusts
            assert folder is not None
            own = [(folder / name).read_bytes() for name in ("key.pem", "cert.pem")]
            credentials = grpc.ssl_channel_credentials(
                ((trusts or folder) / "ca.pem").read_bytes(), *(own if keys else ())
            )
            self.channel = grpc.secure_channel(address, credentials, options)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.channel.close()

    def call(
        self,
        method: Method,
        request: Message | Iterator[Message],
        timeout: float = PATIENCE_S,
    ) -> Any:
        return method.on(self.channel)(request, timeout=timeout, metadata=self._metadata)

    def infer(
        self,
        model: str,
        inputs: Mapping[str, torch.Tensor],
        timeout: float = PATIENCE_S,
        outputs: Sequence[str] = (),
    ) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
        """Return outputs and server timings."""
        reply = self.call(MODEL_INFER, question(model, inputs, outputs), timeout)
        return tensors(reply), {key: one.int64_param for key, one in reply.parameters.items()}

    def later(self, model: str, inputs: Mapping[str, torch.Tensor]) -> Any:
        """Ask without waiting; return the future."""
        return MODEL_INFER.on(self.channel).future(question(model, inputs), timeout=PATIENCE_S)

    def status(self) -> admin_pb2.StatusReply:
        return self.call(STATUS, admin_pb2.StatusRequest())

    def until(self, **wanted: int) -> None:
        """Ask for the status until it is as wanted."""
        for _ in range(20_000):
            status = self.status()
            if all(getattr(status, key) == value for key, value in wanted.items()):
                return
        raise AssertionError(f"never {wanted}: {status}")


def question(
    model: str, inputs: Mapping[str, torch.Tensor], outputs: Sequence[str] = ()
) -> wire.ModelInferRequest:
    """Return a message as any client would write it, with nothing of our own encoding."""
    request = wire.ModelInferRequest(model_name=model, id="7")
    for name, tensor in inputs.items():
        request.inputs.add(name=name, datatype="FP32", shape=tensor.shape)
        request.raw_input_contents.append(tensor.numpy().astype("<f4").tobytes())
    for name in outputs:
        request.outputs.add(name=name)
    return request


def tensors(reply: wire.ModelInferResponse) -> dict[str, torch.Tensor]:
    return {
        output.name: torch.frombuffer(bytearray(raw), dtype=torch.float32).reshape(*output.shape)
        for output, raw in zip(reply.outputs, reply.raw_output_contents, strict=True)
    }


def offer(
    manifest: SignedManifest, models: Sequence[str] = PARTS, folder: Path = ARTIFACT
) -> admin_pb2.OfferRequest:
    return admin_pb2.OfferRequest(
        manifest=manifest.data,
        signature=manifest.signature,
        models=[
            admin_pb2.Model(
                name=name,
                sha256=manifest.entries[name].sha256,
                bytes=(folder / f"{name}.safetensors").stat().st_size,
            )
            for name in models
        ],
    )


def pieces(
    digest: str, data: bytes, *, size: int | None = None, offset: int = 0, chunk: int = 65536
) -> Iterator[admin_pb2.UploadRequest]:
    header = admin_pb2.UploadHeader(
        sha256=digest, bytes=len(data) if size is None else size, offset=offset
    )
    yield admin_pb2.UploadRequest(header=header)
    for start in range(offset, len(data), chunk):
        yield admin_pb2.UploadRequest(chunk=data[start : start + chunk])


def fill(client: Client, manifest: SignedManifest, models: Sequence[str]) -> None:
    """Put models on a node, through an admin's client."""
    client.call(OFFER, offer(manifest, models))
    for name in models:
        data = (ARTIFACT / f"{name}.safetensors").read_bytes()
        client.call(UPLOAD, pieces(manifest.entries[name].sha256, data))
    client.call(ACTIVATE, admin_pb2.ActivateRequest(manifest_sha256=manifest.sha256, models=models))


def scenario(path: Path, addresses: Mapping[str, str]) -> Path:
    """Write a scenario with a hub that fuses, and real nodes at ``addresses``."""
    nodes = {
        name: {"device": "raspberry-pi-4b", "address": address}
        for name, address in addresses.items()
    }
    document = {
        "name": "real",
        "seed": 7,
        "model": {"artifact": str(ARTIFACT)},
        "placement": {"strategy": "class-wise", "input": "hub", "fusion": "hub"},
        "nodes": nodes,
        "network": {"switch": {"bandwidth": "1 Gbit/s", "latency": "0.25 ms"}},
        "traffic": {"arrivals": "closed", "concurrency": 1, "requests": 10},
    }
    path.write_text(yaml.safe_dump(document))
    return path


def fresh_keys(folder: Path) -> Path:
    make_keys(folder, ["localhost"])
    return folder


@torch.inference_mode()
def fused(image: torch.Tensor, there: tuple[bool, ...] = (True,) * 5) -> torch.Tensor:
    """Return the logits of one image in this process, from some parts."""
    artifact = load_artifact(ARTIFACT)
    features = {
        number: part.pool(part.encode(part.embed(image[None]))).flatten(1)
        for number, part in enumerate(artifact.parts)
        if there[number]
    }
    return artifact.fusion.combine(features)
