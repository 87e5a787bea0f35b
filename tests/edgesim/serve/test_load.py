"""A node with more to do than it can: full lines, deadlines, batches, and how it leaves."""

from __future__ import annotations

import asyncio
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
import torch
from grpc_health.v1 import health_pb2, health_pb2_grpc

from edgesim.serve.access import Access
from edgesim.serve.coordinator.peer import Peer
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.replies import InvalidReplyError
from edgesim.serve.coordinator.work import Input, Piece, Work, infer_request
from edgesim.serve.manifest import SignedManifest
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.services import SERVER_READY
from edgesim.simulate.recovery import Health
from tests.edgesim.serve.cluster import Client, NodeProcess, fill, node, tensors

LONG = torch.zeros(1024, 1, 32, 32)
"""Takes a second or so, in which a test can put others behind it."""
SHORT = torch.ones(1, 1, 32, 32)


class Pair:
    """A client of inference and one of the admin service, without TLS."""

    def __init__(self, process: NodeProcess, keys: Path) -> None:
        self.node = process
        self.client = Client(process.inference, None)
        self.admin = Client(process.admin, None, token=keys / "admin" / "token")

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.channel.close()
        self.admin.channel.close()

    def code(self, call, *arguments, **named) -> grpc.StatusCode:
        with pytest.raises(grpc.RpcError) as caught:
            call(*arguments, **named)
        return caught.value.code()

    def metric(self, key: str) -> float:
        with urllib.request.urlopen(f"http://{self.node.metrics}/metrics") as reply:
            lines = reply.read().decode().splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(key)), 0.0)


@contextmanager
def serving(store: Path, keys: Path, manifest: SignedManifest) -> Iterator[Pair]:
    """Start a node with three parts and a short queue."""
    options = ("--plain", "--queue", "3", "--batch", "3", "--metrics", "127.0.0.1:0")
    with node(store, keys / "localhost", *options) as process, Pair(process, keys) as pair:
        fill(pair.admin, manifest, ["part-0", "part-1", "part-2"])
        yield pair


@pytest.fixture(scope="module")
def busy(
    tmp_path_factory: pytest.TempPathFactory, keys: Path, manifest: SignedManifest
) -> Iterator[Pair]:
    with serving(tmp_path_factory.mktemp("busy") / "store", keys, manifest) as pair:
        yield pair


def test_without_the_token_nobody_gets_to_the_admin_service(busy: Pair) -> None:
    with Client(busy.node.admin, None) as stranger:
        assert busy.code(stranger.status) is grpc.StatusCode.UNAUTHENTICATED


def test_a_full_line_refuses_and_what_waited_goes_in_one_batch(busy: Pair) -> None:
    alone, timings = busy.client.infer("part-0", {"input": SHORT})
    assert timings["batch"] == 1
    long = busy.client.later("part-0", {"input": LONG})
    busy.admin.until(running=1, waiting=0)
    waiting = [busy.client.later("part-0", {"input": SHORT}) for _ in range(3)]
    busy.admin.until(waiting=3)
    with pytest.raises(grpc.RpcError) as caught:
        busy.client.infer("part-0", {"input": SHORT})
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "the node's queue of 3 was full" in caught.value.details()
    assert tensors(long.result())["logits"].shape == (1024, 3)
    # Each tells how long the line was once it had come.
    assert long.result().parameters["waiting"].int64_param == timings["waiting"] == 0
    lengths = [future.result().parameters["waiting"].int64_param for future in waiting]
    assert sorted(lengths) == [1, 2, 3]
    for answer in (future.result() for future in waiting):
        assert answer.parameters["batch"].int64_param == 3
        assert answer.parameters["queue_ns"].int64_param > 0
        # Kernels sum in another order for three images than for one: some units of rounding.
        torch.testing.assert_close(tensors(answer)["logits"], alone["logits"], rtol=1e-5, atol=1e-5)
    busy.admin.until(running=0, waiting=0)


def test_work_whose_deadline_passed_is_not_computed(busy: Pair) -> None:
    computed = busy.metric('edgesim_compute_seconds_count{model="part-1"}')
    long = busy.client.later("part-0", {"input": LONG})
    busy.admin.until(running=1, waiting=0)
    cancelled = 'edgesim_requests_total{code="CANCELLED",model="part-1"}'
    for deadline_s in (0.02, 0.04, 0.08):
        code = busy.code(busy.client.infer, "part-1", {"input": SHORT}, deadline_s)
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        busy.admin.until(waiting=0)
        if expired := busy.metric(cancelled):
            break  # a call that ends before the node has read it is not counted
    assert expired == 1
    gone = busy.client.later("part-1", {"input": SHORT})
    busy.admin.until(waiting=1)
    gone.cancel()
    busy.admin.until(waiting=0)
    long.result()
    busy.client.infer("part-2", {"input": SHORT})
    assert busy.metric('edgesim_compute_seconds_count{model="part-1"}') == computed
    assert busy.metric(cancelled) == 2


def test_a_node_that_is_asked_more_than_it_takes_is_not_taken_for_gone(busy: Pair) -> None:
    # More calls at once than a connection may have: some are refused before anyone reads them.
    work = Work(
        parts=(Piece("part-0", "node", "", 3),), fusion=Piece("part-0", "node", "", 3),
        addresses={}, home="node", shape=(1, 32, 32), manifest={},
    )  # fmt: skip
    asked = infer_request(
        work.parts[0], (Input("input", SHORT.shape, SHORT.numpy().tobytes()),), "logits", 0
    )
    access = Access(folder=Path(), plain=True, ca=b"", certificate=b"", key=b"", token="")

    async def flood() -> tuple[list[str], bool]:
        peer = Peer(
            "node",
            busy.node.inference,
            work.parts,
            access,
            Policy(health=Health(strikes=1)),
            time.monotonic,
        )
        told: list[str] = []
        flaws: set[str] = set()

        async def ask() -> None:
            try:
                await peer.infer(asked, 3, time.monotonic() + 60.0)
            except InvalidReplyError as error:
                # It was asked for any version, and the reply names one.
                flaws.add(str(error).partition(":")[0])
            except grpc.aio.AioRpcError as error:
                told.append(error.details() or "")

        for _ in range(5):
            await asyncio.gather(*(ask() for _ in range(2000)))
            await peer.check()
            if any("RST_STREAM" in one for one in told):
                break
        assert flaws <= {"model_version"}
        up = peer.up
        await peer.close()
        return told, up

    told, up = asyncio.run(flood())
    assert any("RST_STREAM" in one for one in told), set(told)
    assert up


def test_told_to_end_it_answers_what_it_has_and_refuses_the_rest(
    tmp_path: Path, keys: Path, manifest: SignedManifest
) -> None:
    with (
        node(tmp_path / "store", keys / "localhost", "--plain") as process,
        Pair(process, keys) as pair,
    ):
        fill(pair.admin, manifest, ["part-0", "part-1"])
        watch = health_pb2_grpc.HealthStub(pair.client.channel).Watch(
            health_pb2.HealthCheckRequest()
        )
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        running = pair.client.later("part-0", {"input": LONG})
        pair.admin.until(running=1, waiting=0)
        waiting = pair.client.later("part-1", {"input": SHORT})
        pair.admin.until(waiting=1)
        process.send(signal.SIGTERM)
        assert process.until("draining")["waiting"] == 1
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        assert not pair.client.call(SERVER_READY, wire.ServerReadyRequest()).ready
        with pytest.raises(grpc.RpcError) as caught:
            pair.client.infer("part-1", {"input": SHORT})
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "the node is shutting down" in caught.value.details()
        assert pair.admin.status().draining
        assert tensors(running.result())["logits"].shape == (1024, 3)
        assert tensors(waiting.result())["logits"].shape == (1, 3)
        assert process.process.wait(60) == 0
        assert process.rest()[-1]["event"] == "ended"
        assert process.events[-1]["whole"]
        assert "no JSON" not in {event["event"] for event in process.events}


def test_what_cannot_be_answered_in_time_is_turned_away(
    tmp_path: Path, keys: Path, manifest: SignedManifest
) -> None:
    # It has half a minute to drain; whoever asks twice does not wait.
    with serving(tmp_path / "store", keys, manifest) as pair:
        long = pair.client.later("part-0", {"input": LONG})
        pair.admin.until(running=1, waiting=0)
        pair.node.send(signal.SIGTERM)
        pair.node.until("draining")
        pair.node.send(signal.SIGTERM)
        assert pair.node.process.wait(60) == 1
        with pytest.raises(grpc.RpcError) as caught:
            long.result()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
