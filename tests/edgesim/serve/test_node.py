"""A node in a process of its own, asked over TLS: answers, refusals, and what it lets through."""

from __future__ import annotations

import json
import os
import random
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import torch
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from edgesim.serve.manifest import SignedManifest
from edgesim.serve.protocol import admin_pb2
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.services import (
    INFERENCE,
    MODEL_INFER,
    MODEL_METADATA,
    MODEL_READY,
    OFFER,
    SERVER_LIVE,
    SERVER_METADATA,
    SERVER_READY,
    STATUS,
)
from edgesim.version import __version__
from partition.artifact import load_artifact
from tests.edgesim.command import assert_fails, edgesim_process
from tests.edgesim.serve.cluster import (
    ARTIFACT,
    PARTS,
    Client,
    NodeProcess,
    fill,
    fresh_keys,
    node,
    offer,
    question,
    tensors,
)

MALFORMED = int(os.environ.get("EDGESIM_MALFORMED", "400"))
"""Messages; ``EDGESIM_MALFORMED=10000 pytest -k malformed`` takes about a minute."""
MODELS = (*PARTS, "fusion")


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, keys: Path, manifest: SignedManifest
) -> Iterator[NodeProcess]:
    store = tmp_path_factory.mktemp("node") / "store"
    options = ("--max-message", "1 MiB", "--metrics", "127.0.0.1:0", "--cpus", "0")
    with node(store, keys / "localhost", *options) as process:
        with Client(process.inference, keys / "client") as early:
            assert not early.call(SERVER_READY, wire.ServerReadyRequest()).ready
        with Client(process.admin, keys / "admin") as admin:
            fill(admin, manifest, MODELS)
        yield process


@pytest.fixture
def client(served: NodeProcess, keys: Path) -> Iterator[Client]:
    with Client(served.inference, keys / "client") as opened:
        yield opened


def refusal(call, *arguments) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments)
    return caught.value


def test_logits_and_features_are_those_of_the_artifact_bit_for_bit(
    client: Client, images: torch.Tensor
) -> None:
    artifact = load_artifact(ARTIFACT)
    features = {}
    for number, part in enumerate(artifact.parts):
        found, _ = client.infer(f"part-{number}", {"input": images})
        with torch.inference_mode():
            assert torch.equal(found["logits"], part(images))
            assert torch.equal(found["features"], part.features(images))
        features[f"features-{number}"] = found["features"]
    fused, _ = client.infer("fusion", features)
    assert torch.equal(fused["logits"], artifact.answer(images))
    # Features of part 2 and 4 did not arrive: the fusion answers with the rest.
    rest = {name: one for name, one in features.items() if name[-1] not in "24"}
    degraded, _ = client.infer("fusion", rest)
    assert torch.equal(degraded["logits"], artifact.answer(images, present=(0, 1, 3)))


def test_a_typed_list_is_as_good_as_raw_bytes(client: Client, images: torch.Tensor) -> None:
    request = wire.ModelInferRequest(model_name="part-0")
    given = request.inputs.add(name="input", datatype="FP32", shape=(1, 1, 32, 32))
    given.contents.fp32_contents.extend(images[:1].flatten().tolist())
    found = tensors(client.call(MODEL_INFER, request))
    assert torch.equal(found["logits"], client.infer("part-0", {"input": images[:1]})[0]["logits"])


def test_only_what_is_asked_for_comes_back_with_its_timings(
    client: Client, images: torch.Tensor
) -> None:
    reply = client.call(MODEL_INFER, question("part-1", {"input": images}, ["logits"]))
    assert [output.name for output in reply.outputs] == ["logits"]
    assert list(reply.outputs[0].shape) == [4, 3]
    assert reply.id == "7"
    timings = {key: one.int64_param for key, one in reply.parameters.items()}
    assert timings.keys() == {"queue_ns", "compute_ns", "processor_ns", "batch", "waiting"}
    assert (timings["batch"], timings["waiting"]) == (1, 0)
    assert timings["queue_ns"] >= 0
    # Four images of 1.97 MMAC in less than 10 µs would be 780 GMAC/s on one thread.
    assert 10_000 < timings["compute_ns"] < 60_000_000_000


def test_live_ready_and_metadata(client: Client, manifest: SignedManifest) -> None:
    assert client.call(SERVER_LIVE, wire.ServerLiveRequest()).live
    assert client.call(SERVER_READY, wire.ServerReadyRequest()).ready
    server = client.call(SERVER_METADATA, wire.ServerMetadataRequest())
    assert (server.name, server.version) == ("edgesim", __version__)
    digest = manifest.entries["part-3"].sha256
    for version, ready in (("", True), (digest[:12], True), ("1", False)):
        request = wire.ModelReadyRequest(name="part-3", version=version)
        assert client.call(MODEL_READY, request).ready is ready
    assert not client.call(MODEL_READY, wire.ModelReadyRequest(name="part-9")).ready
    found = client.call(MODEL_METADATA, wire.ModelMetadataRequest(name="part-3"))
    assert list(found.versions) == [digest[:12]]
    (given,) = found.inputs
    assert (given.name, given.datatype, list(given.shape)) == ("input", "FP32", [-1, 1, 32, 32])
    assert [(one.name, list(one.shape)) for one in found.outputs] == [
        ("features", [-1, 24]),
        ("logits", [-1, 3]),
    ]
    fusion = client.call(MODEL_METADATA, wire.ModelMetadataRequest(name="fusion"))
    assert [one.name for one in fusion.inputs] == [f"features-{number}" for number in range(5)]


def test_health_and_reflection(client: Client) -> None:
    health = health_pb2_grpc.HealthStub(client.channel)
    for service in ("", INFERENCE):
        reply = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
    database = ProtoReflectionDescriptorDatabase(client.channel)
    assert INFERENCE in database.get_services()
    file = database.FindFileContainingSymbol(INFERENCE)
    assert isinstance(file, descriptor_pb2.FileDescriptorProto)
    assert len(file.service[0].method) == 6


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"model_name": "part-9"}, "NOT_FOUND", "no model 'part-9' here; this node serves part-0"),
        ({"model_name": "../part-0"}, "NOT_FOUND", "no model '../part-0' here"),
        ({"model_version": "1"}, "NOT_FOUND", "is here in version"),
        ({"shape": (1, 1, 32, 33)}, "INVALID_ARGUMENT", "must have shape [samples, 1, 32, 32]"),
        ({"shape": ()}, "INVALID_ARGUMENT", "not []"),
        ({"shape": (-1, 1, 32, 32)}, "INVALID_ARGUMENT", "1 to 1024 samples, not -1"),
        ({"shape": (0, 1, 32, 32)}, "INVALID_ARGUMENT", "not 0"),
        ({"shape": (2**62, 1, 32, 32)}, "INVALID_ARGUMENT", "1 to 1024 samples"),
        ({"shape": (2, 1, 32, 32)}, "INVALID_ARGUMENT", "takes 8192 raw bytes, not 4096"),
        (
            {"datatype": "FP64"},
            "INVALID_ARGUMENT",
            "must be FP32 or BYTES (a JPEG",
        ),
        ({"name": "image"}, "INVALID_ARGUMENT", "takes input, not 'image'"),
        ({"twice": True}, "INVALID_ARGUMENT", "is given twice"),
        ({"raw": 2}, "INVALID_ARGUMENT", "1 inputs come with 2 raw contents"),
        ({"raw": 0}, "INVALID_ARGUMENT", "has 1024 elements, not 0"),
        ({"contents": True}, "INVALID_ARGUMENT", "as raw bytes and as a list"),
        ({"inputs": 0, "raw": 0}, "INVALID_ARGUMENT", "the request lacks it"),
        ({"output": "probabilities"}, "INVALID_ARGUMENT", "gives features, logits"),
        ({"parameter": "shared_memory_region"}, "INVALID_ARGUMENT", "is of an extension"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(
    client: Client, images: torch.Tensor, change: dict, code: str, message: str
) -> None:
    request = question("part-0", {"input": images[:1]})
    request.model_name = change.get("model_name", "part-0")
    request.model_version = change.get("model_version", "")
    given = request.inputs[0]
    given.name = change.get("name", "input")
    given.datatype = change.get("datatype", "FP32")
    given.shape[:] = change.get("shape", given.shape)
    raw = list(request.raw_input_contents) * change.get("raw", 1)
    if change.get("twice"):
        request.inputs.append(given)
        raw *= 2
    request.raw_input_contents[:] = raw
    if change.get("contents"):
        given.contents.fp32_contents.append(1.0)
    if "parameter" in change:
        given.parameters[change["parameter"]].string_param = "x"
    if "output" in change:
        request.outputs.add(name=change["output"])
    if change.get("inputs") == 0:
        del request.inputs[:]
    error = refusal(client.call, MODEL_INFER, request)
    assert error.code().name == code
    assert message in error.details()


def test_a_message_beyond_the_limit_is_refused(client: Client) -> None:
    images = torch.zeros(300, 1, 32, 32)
    error = refusal(client.infer, "part-0", {"input": images})
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in error.details()


def test_malformed_messages_leave_the_node_serving(
    client: Client, served: NodeProcess, images: torch.Tensor
) -> None:
    before, _ = client.infer("part-0", {"input": images})
    whole = question("part-0", {"input": images[:1]}).SerializeToString()
    head = whole[: len(whole) - 4096]
    draw = random.Random(7)
    send = client.channel.unary_unary(f"/{INFERENCE}/ModelInfer")
    codes: dict[str, int] = {}
    for number in range(MALFORMED):
        data = bytearray(whole if number % 2 else head)
        match number % 4:
            case 0:  # bytes of chance
                data = bytearray(draw.randbytes(draw.randrange(1, 200)))
            case 1:  # some bytes changed, in the part that is not pixels
                for _ in range(draw.randrange(1, 6)):
                    data[draw.randrange(len(head))] = draw.randrange(256)
            case 2:  # cut short
                del data[draw.randrange(len(data)) :]
            case 3:  # good messages of wrong contents
                data = bytearray(wrong(draw, whole).SerializeToString())
        try:
            send(bytes(data), timeout=60)
            code = "OK"
        except grpc.RpcError as error:
            code = error.code().name
        codes[code] = codes.get(code, 0) + 1
    # A changed byte may leave a good message, of another id for example.
    assert codes.keys() <= {"OK", "INVALID_ARGUMENT", "NOT_FOUND"}, codes
    assert codes["INVALID_ARGUMENT"] > MALFORMED // 2
    host, _, port = served.inference.rpartition(":")
    for _ in range(MALFORMED // 20):
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(draw.randbytes(300))
    after, _ = client.infer("part-0", {"input": images})
    assert torch.equal(after["logits"], before["logits"])
    assert client.call(SERVER_READY, wire.ServerReadyRequest()).ready


def wrong(draw: random.Random, whole: bytes) -> wire.ModelInferRequest:
    """Return a message of which some fields are of chance."""
    request = wire.ModelInferRequest.FromString(whole)
    given = request.inputs[0]
    names = ["", "input", "features-0", "x" * 1000, "\0", "../../etc/passwd", "ä"]
    for _ in range(draw.randrange(1, 4)):
        match draw.randrange(6):
            case 0:
                given.shape[:] = [draw.randrange(-(2**63), 2**63) for _ in range(draw.randrange(9))]
            case 1:
                given.datatype = draw.choice(["", "FP16", "BYTES", "fp32", "X" * 100])
            case 2:
                given.name = draw.choice(names)
            case 3:
                contents = [draw.randbytes(draw.randrange(5000)) for _ in range(draw.randrange(4))]
                request.raw_input_contents[:] = contents
            case 4:
                given.contents.int64_contents.extend([1] * draw.randrange(2000))
            case 5:
                request.outputs.add(name=draw.choice(names))
    return request


def test_strangers_are_not_answered(
    served: NodeProcess, keys: Path, tmp_path: Path, manifest: SignedManifest
) -> None:
    rogue = fresh_keys(tmp_path / "rogue")
    live = (SERVER_LIVE, wire.ServerLiveRequest())
    strangers = [
        Client(served.inference, None),
        Client(served.inference, None, trusts=keys / "client"),
        Client(served.inference, rogue / "client", trusts=keys / "client"),
        Client(served.inference, rogue / "client"),  # which does not know this node either
    ]
    for stranger in strangers:
        with stranger:
            error = refusal(stranger.call, *live)
            assert error.code() is grpc.StatusCode.UNAVAILABLE
    for folder in (None, rogue / "admin"):
        with Client(served.admin, folder, trusts=keys / "client") as stranger:
            error = refusal(stranger.status)
            assert error.code() is grpc.StatusCode.UNAVAILABLE
    # Who may ask for inferences may not put parts on nodes, nor see how they do.
    for folder in ("client", "localhost"):
        with Client(served.admin, keys / folder) as stranger:
            for method, request in (
                (STATUS, admin_pb2.StatusRequest()),
                (OFFER, offer(manifest)),
            ):
                error = refusal(stranger.call, method, request)
                # A node's certificate is none for clients.
                assert error.code().name in ("PERMISSION_DENIED", "UNAVAILABLE")
                if folder == "client":
                    assert "not an admin's" in error.details()
    # Of a message that nobody reads, no warning of Python's is in the log.
    events = [one["event"] for one in served.told()]
    assert "refused" in events
    assert not [event for event in events if "never awaited" in event]
    # The admin service is not offered beside inference, nor the other way round.
    with Client(served.inference, keys / "admin") as admin:
        assert refusal(admin.status).code() is grpc.StatusCode.UNIMPLEMENTED
    with Client(served.admin, keys / "admin") as admin:
        assert refusal(admin.call, *live).code() is grpc.StatusCode.UNIMPLEMENTED


def test_metrics_count_what_was_asked(
    client: Client, served: NodeProcess, images: torch.Tensor, manifest: SignedManifest
) -> None:
    def read() -> dict[str, float]:
        with urllib.request.urlopen(f"http://{served.metrics}/metrics") as reply:
            lines = reply.read().decode().splitlines()
        return {
            key: float(value)
            for key, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
        }

    before = read()
    client.infer("part-2", {"input": images})
    refusal(client.infer, "part-9", {"input": images})
    after = read()

    def gained(key: str) -> float:
        return after[key] - before.get(key, 0.0)

    assert gained('edgesim_requests_total{code="OK",model="part-2"}') == 1
    # Names that strangers choose do not become labels.
    assert gained('edgesim_requests_total{code="NOT_FOUND",model="unknown"}') == 1
    assert gained('edgesim_samples_total{model="part-2"}') == 4
    assert gained('edgesim_compute_seconds_count{model="part-2"}') == 1
    assert gained("edgesim_received_bytes_total") == 4 * 32 * 32 * 4
    assert gained("edgesim_sent_bytes_total") == 4 * (24 + 3) * 4
    digest = manifest.entries["part-2"].sha256
    assert after[f'edgesim_model_served{{model="part-2",sha256="{digest}"}}'] == 1


def test_it_stays_on_its_processors(served: NodeProcess) -> None:
    assert os.sched_getaffinity(served.process.pid) == {0}


def test_a_second_node_takes_neither_its_port_nor_its_store(
    served: NodeProcess, keys: Path, tmp_path: Path
) -> None:
    common = ("--keys", keys / "localhost", "--admin", "127.0.0.1:0")
    done = edgesim_process(
        "node", "--listen", served.inference, "--store", tmp_path / "other", *common
    )
    assert_fails(done, 2, [f"cannot listen on {served.inference}"])
    done = edgesim_process(
        "node", "--listen", "127.0.0.1:0", "--store", tmp_path / "other", *common[:2],
        "--admin", served.admin,
    )  # fmt: skip
    assert_fails(done, 2, [f"cannot listen on {served.admin}", "name another with --admin"])
    arguments = served.process.args
    store = arguments[arguments.index("--store") + 1]
    done = edgesim_process("node", "--listen", "127.0.0.1:0", "--store", store, *common)
    assert_fails(done, 2, ["another node uses", "give each a --store of its own"])


def test_every_line_of_the_log_is_an_object_with_a_time(served: NodeProcess) -> None:
    assert {"listening", "ready"} <= {event["event"] for event in served.events}
    for event in served.events:
        assert {"time", "level", "event"} <= event.keys()
        json.dumps(event)
