"""How parts reach nodes: through breaks and kills, and past none of the checks."""

from __future__ import annotations

import asyncio
import json
import math
import random
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
import torch

from edgesim.common.errors import InputError
from edgesim.serve.access import read_access
from edgesim.serve.coordinator.work import Target, find_targets
from edgesim.serve.deploy import Row, deploy, pack
from edgesim.serve.manifest import SignedManifest, sign
from edgesim.serve.protocol import admin_pb2 as wire
from edgesim.serve.protocol import open_inference_pb2
from edgesim.serve.services import ACTIVATE, ADMIN, OFFER, SERVER_LIVE, SERVER_READY, UPLOAD
from partition.artifact import load_artifact
from tests.edgesim.command import assert_fails, document, edgesim
from tests.edgesim.disk import small_disk
from tests.edgesim.serve.cluster import (
    ARTIFACT,
    PARTS,
    Client,
    NodeProcess,
    fill,
    fresh_keys,
    node,
    offer,
    pieces,
    scenario,
)

SIZES = {name: (ARTIFACT / f"{name}.safetensors").stat().st_size for name in (*PARTS, "fusion")}


def test_the_command_deploys_once_and_again_only_what_is_lacking(
    tmp_path: Path, keys: Path, images: torch.Tensor
) -> None:
    local, admin = keys / "localhost", keys / "admin"
    with node(tmp_path / "hub", local) as hub:
        with node(tmp_path / "pi", local) as pi:
            file = scenario(tmp_path / "s.yaml", {"hub": hub.inference, "pi": pi.inference})
            ports = ["--admin", f"hub={hub.admin}", "--admin", f"pi={pi.admin}"]
            done = edgesim("deploy", file, ARTIFACT, "--keys", admin, *ports, "--json")
            assert (done.returncode, done.stderr) == (0, "")
            rows = {row["node"]: row for row in document(done.stdout)["nodes"]}
            assert {name: row["state"] for name, row in rows.items()} == {
                "hub": "deployed", "pi": "deployed",
            }  # fmt: skip
            assert rows["hub"]["models"] == ["fusion"]
            assert rows["pi"]["models"] == list(PARTS)
            assert rows["pi"]["sent_bytes"] == sum(SIZES[name] for name in PARTS)
            assert all(seconds > 0 for seconds in rows["pi"]["inference_s"].values())
            done = edgesim("deploy", file, ARTIFACT, "--keys", admin, *ports)
            assert done.returncode == 0
            assert done.stdout.count(" kept") == 2
            pi.kill()
        # After a kill it serves what it served, from its own disk.
        with node(tmp_path / "pi", local) as pi, Client(pi.inference, keys / "client") as client:
            assert pi.served == list(PARTS)
            found, _ = client.infer("part-4", {"input": images})
            with torch.inference_mode():
                assert torch.equal(found["logits"], load_artifact(ARTIFACT).parts[4](images))
            done = edgesim("deploy", file, ARTIFACT, "--keys", admin, *ports, "--patience", "0 s")
            # The scenario has the address of the node that was killed.
            assert done.returncode == 1
            assert done.stderr == "edgesim: not deployed to pi\n"
            assert "hub" in done.stdout
            assert "failed" in done.stdout


def push(address: str, keys: Path, models: tuple[str, ...], **named) -> Row:
    target = Target("pi", address, address, models)
    access = read_access(keys / "admin", plain=False)
    package = pack(ARTIFACT, keys / "admin")
    rows = deploy([target], package, access, generator=random.Random(7), **named)
    (row,) = asyncio.run(rows)
    return row


def test_a_broken_upload_goes_on_where_it_was_when_the_node_was_killed(
    tmp_path: Path, keys: Path, manifest: SignedManifest
) -> None:
    local, entry = keys / "localhost", manifest.entries["part-0"]
    data = (ARTIFACT / "part-0.safetensors").read_bytes()
    partial = tmp_path / "store" / "partial" / entry.sha256
    with node(tmp_path / "store", local) as first, Client(first.admin, keys / "admin") as admin:
        admin.call(OFFER, offer(manifest, ["part-0"]))
        never = threading.Event()

        def half() -> Iterator[wire.UploadRequest]:
            for number, piece in enumerate(pieces(entry.sha256, data, chunk=10_000)):
                if number > 17:
                    never.wait()
                yield piece

        upload = UPLOAD.on(admin.channel).future(half())
        while not partial.exists() or partial.stat().st_size < 170_000:
            assert not upload.done()
        first.kill()
        with pytest.raises(grpc.RpcError):
            upload.result()
        never.set()
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        # The deployment is there before the node, and waits for it.
        models = ("part-0", "part-1")
        waiting = pool.submit(push, address, keys, models, patience_s=120.0)
        second = stack.enter_context(node(tmp_path / "store", local, "--admin", address))
        row = waiting.result(120.0)
        assert row.tries > 1
        assert (row.state, row.held_bytes) == ("deployed", 170_000)
        assert row.sent_bytes == SIZES["part-0"] - 170_000 + SIZES["part-1"]
        row = push(second.admin, keys, ("part-1", "part-0"))
        assert (row.state, row.sent_bytes) == ("kept", 0)
        # What was changed on disk is noticed although the model is still served from memory.
        blob = tmp_path / "store" / "blobs" / entry.sha256
        blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        row = push(second.admin, keys, ("part-1", "part-0"))
        assert (row.state, row.sent_bytes) == ("deployed", SIZES["part-0"])
        assert blob.read_bytes() == data
        # Fewer models of the same artifact: nothing to send, and the others are no longer served.
        row = push(second.admin, keys, ("part-1",))
        assert (row.state, row.sent_bytes) == ("deployed", 0)
        with Client(second.admin, keys / "admin") as admin:
            assert [model.name for model in admin.status().models] == ["part-1"]
        assert second.end() == 0
    # What was changed on disk is not served, and only that is sent anew.
    blob = tmp_path / "store" / "blobs" / manifest.entries["part-1"].sha256
    blob.write_bytes(bytes(1) + blob.read_bytes()[1:])
    with node(tmp_path / "store", local) as third:
        assert third.served == []
        (told,) = [one for one in third.events if one["event"] == "not restored"]
        assert "damaged on disk" in told["reason"]
        with Client(third.inference, keys / "client") as client:
            assert not client.call(SERVER_READY, open_inference_pb2.ServerReadyRequest()).ready
        row = push(third.admin, keys, ("part-0", "part-1"))
        assert (row.state, row.sent_bytes) == ("deployed", SIZES["part-1"])


@pytest.fixture(scope="module")
def small(
    tmp_path_factory: pytest.TempPathFactory, keys: Path
) -> Iterator[tuple[NodeProcess, Path]]:
    """A node that may hold the weights of one part, and of the fusion."""
    store = tmp_path_factory.mktemp("small") / "store"
    with node(store, keys / "localhost", "--memory", "420 kB", "--any-client") as process:
        yield process, store


def test_clients_without_a_certificate_may_be_let_in_but_never_as_admins(
    small: tuple[NodeProcess, Path], keys: Path
) -> None:
    live = open_inference_pb2.ServerLiveRequest()
    with Client(small[0].inference, None, trusts=keys / "client") as anyone:
        assert anyone.call(SERVER_LIVE, live).live
    for address, call in (
        (small[0].inference, lambda client: client.call(SERVER_LIVE, live)),
        (small[0].admin, Client.status),
    ):
        # In the clear to the first, without a certificate to the second.
        trusts = None if address == small[0].inference else keys / "client"
        with Client(address, None, trusts=trusts) as stranger:
            with pytest.raises(grpc.RpcError) as caught:
                call(stranger)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_nothing_gets_past_the_checks(
    small: tuple[NodeProcess, Path], keys: Path, manifest: SignedManifest, tmp_path: Path
) -> None:
    process, store = small
    entry = manifest.entries["part-0"]
    data = (ARTIFACT / "part-0.safetensors").read_bytes()
    rogue = fresh_keys(tmp_path / "rogue") / "admin" / "manifest.key"
    one = offer(manifest, ["part-0"])

    def changed(**fields) -> wire.OfferRequest:
        request = wire.OfferRequest()
        request.CopyFrom(one)
        for key, value in fields.items():
            setattr(
                request.models[0] if key in ("name", "sha256", "bytes") else request, key, value
            )
        return request

    none, header = wire.OfferRequest(), wire.UploadHeader
    upload = lambda *arguments, **named: list(pieces(*arguments, **named))  # noqa: E731
    before = [
        (OFFER, none, "PERMISSION_DENIED", "not signed with the key"),
        (OFFER, changed(manifest=one.manifest.replace(b"part-0", b"part-1")),
         "PERMISSION_DENIED", "the manifest was changed"),
        (OFFER, changed(signature=sign(one.manifest, rogue)),
         "PERMISSION_DENIED", "not signed with the key that this node trusts"),
        (OFFER, changed(name="../part-0"), "NOT_FOUND", "has no '../part-0'"),
        (OFFER, changed(sha256="0" * 64), "PERMISSION_DENIED", "by the signed manifest, not"),
        (OFFER, changed(sha256="../../x"), "PERMISSION_DENIED", "by the signed manifest, not"),
        (OFFER, changed(bytes=1 << 40), "INVALID_ARGUMENT", "its file cannot have"),
        (OFFER, changed(bytes=0), "INVALID_ARGUMENT", "its file cannot have 0"),
        (OFFER, offer(manifest, ["part-0", "part-1"]), "RESOURCE_EXHAUSTED",
         "the models have 670616 bytes of weights, and the node may hold 420000"),
        (UPLOAD, upload(entry.sha256, data), "FAILED_PRECONDITION", "offer it first"),
        (ACTIVATE, wire.ActivateRequest(manifest_sha256=manifest.sha256, models=["part-0"]),
         "FAILED_PRECONDITION", "was not offered"),
        (ACTIVATE, wire.ActivateRequest(manifest_sha256="../active.json", models=["part-0"]),
         "INVALID_ARGUMENT", "expected a SHA-256"),
    ]  # fmt: skip
    after = [
        (UPLOAD, [], "INVALID_ARGUMENT", "begins with its header"),
        (UPLOAD, [wire.UploadRequest(chunk=data)], "INVALID_ARGUMENT", "begins with its header"),
        (UPLOAD, upload("../../x", data), "FAILED_PRECONDITION", "offer it first"),
        (UPLOAD, upload("0" * 64, data), "FAILED_PRECONDITION", "offer it first"),
        (UPLOAD, upload(entry.sha256, data, size=1 << 40), "INVALID_ARGUMENT", "cannot have"),
        (UPLOAD, upload(entry.sha256, data[:-1]), "DATA_LOSS", "the file has SHA-256"),
        (UPLOAD, upload(entry.sha256, data + b"x", size=len(data)), "INVALID_ARGUMENT",
         "more than the announced"),
        (UPLOAD, [wire.UploadRequest(header=header(sha256=entry.sha256, bytes=9)), *2 * [
            wire.UploadRequest(header=header(sha256=entry.sha256, bytes=9))]],
         "INVALID_ARGUMENT", "a chunk was expected"),
        (UPLOAD, [wire.UploadRequest(header=header(sha256=entry.sha256, bytes=9)),
                  wire.UploadRequest(chunk=b"")], "INVALID_ARGUMENT", "an empty chunk came"),
        (UPLOAD, upload(entry.sha256, data[:70_000], size=len(data)), "ABORTED",
         f"70000 of {len(data)} bytes came; go on from there"),
        (ACTIVATE, wire.ActivateRequest(manifest_sha256=manifest.sha256, models=["part-0"]),
         "FAILED_PRECONDITION", "is not here; upload it"),
        (ACTIVATE, wire.ActivateRequest(manifest_sha256=manifest.sha256), "INVALID_ARGUMENT",
         "no models are named"),
    ]  # fmt: skip
    around = {path for path in store.parent.rglob("*") if path.is_file()}

    def refused(client: Client, method, request, code: str, message: str) -> None:
        with pytest.raises(grpc.RpcError) as caught:
            client.call(method, iter(request) if isinstance(request, list) else request)
        assert (caught.value.code().name, message in caught.value.details()) == (code, True), (
            caught.value.details()
        )

    with Client(process.admin, keys / "admin") as admin:
        for case in before:
            refused(admin, *case)
        assert {path for path in store.parent.rglob("*") if path.is_file()} == around
        admin.call(OFFER, one)
        for case in after:
            refused(admin, *case)
        added = {path for path in store.parent.rglob("*") if path.is_file()} - around
        assert {str(path.relative_to(store)) for path in added} == {
            f"manifests/{manifest.sha256}", f"manifests/{manifest.sha256}.sig",
            f"partial/{entry.sha256}",
        }  # fmt: skip
        assert admin.status().models == []
        # After all that it takes the right ones.
        fill(admin, manifest, ["part-0", "fusion"])
        assert [model.name for model in admin.status().models] == ["part-0", "fusion"]
        # And what cannot be exchanged leaves what is served.
        refused(admin, ACTIVATE,
                wire.ActivateRequest(manifest_sha256=manifest.sha256, models=["part-1"]),
                "FAILED_PRECONDITION", "is not here; upload it")  # fmt: skip
        assert [model.name for model in admin.status().models] == ["part-0", "fusion"]


def test_a_slow_upload_keeps_nobody_waiting_and_a_new_one_takes_over(
    small: tuple[NodeProcess, Path], keys: Path, manifest: SignedManifest
) -> None:
    process, store = small
    digest = manifest.entries["part-4"].sha256
    data = (ARTIFACT / "part-4.safetensors").read_bytes()
    never = threading.Event()

    def begun() -> Iterator[wire.UploadRequest]:
        yield from pieces(digest, data[:1000], size=len(data))
        never.wait(60.0)
        yield wire.UploadRequest(chunk=data[1000:])

    with Client(process.admin, keys / "admin") as admin:
        admin.call(OFFER, offer(manifest, ["part-4"]))
        slow = UPLOAD.on(admin.channel).future(begun())
        partial = store / "partial" / digest
        while not partial.exists() or partial.stat().st_size < 1000:
            assert not slow.done()
        # Each of these waited for the end of the upload, or for 60 s of silence.
        admin.call(OFFER, offer(manifest, ["part-4"]), timeout=30.0)
        admin.call(UPLOAD, pieces(digest, data), timeout=30.0)
        assert not slow.done()
        never.set()
        assert slow.exception().code() is grpc.StatusCode.ABORTED
    assert (store / "blobs" / digest).read_bytes() == data


def test_a_node_that_refuses_is_a_row_with_its_reason(
    small: tuple[NodeProcess, Path], keys: Path
) -> None:
    row = push(small[0].admin, keys, PARTS)
    assert (row.state, row.tries, row.sent_bytes) == ("failed", 1, 0)
    assert row.error is not None
    assert "the node may hold 420000; give it fewer" in row.error


def test_a_node_that_is_not_there_is_asked_again(keys: Path) -> None:
    row = push("127.0.0.1:1", keys, PARTS, patience_s=0.25)
    assert row.state == "failed"
    assert row.tries > 1
    assert row.error is not None
    assert "refused" in row.error


def test_a_disk_without_room_is_told_before_a_byte_is_sent(tmp_path: Path, keys: Path) -> None:
    # One MiB is to spare, which leaves room for two parts.
    with (
        small_disk(tmp_path, "1900k") as disk,
        node(disk / "store", keys / "localhost") as process,
    ):
        row = push(process.admin, keys, PARTS)
        assert (row.state, row.sent_bytes) == ("failed", 0)
        assert row.error is not None
        # The files of all parts, the manifest and its signature.
        needed = 1_714_100 + (ARTIFACT / "manifest.json").stat().st_size + 64
        assert f"bytes free, and {needed} more are needed" in row.error
        assert push(process.admin, keys, PARTS[:2]).state == "deployed"
        assert process.end() == 0


def test_targets_are_the_nodes_with_an_address(tmp_path: Path) -> None:
    file = scenario(tmp_path / "s.yaml", {"hub": "hub.local:50051", "pi": "pi.local:60000"})
    found = find_targets(file, ARTIFACT, admin={"pi": "pi.local:7"})
    assert found.real == (
        Target("hub", "hub.local:50051", "hub.local:20051", ("fusion",)),
        Target("pi", "pi.local:60000", "pi.local:7", PARTS),
    )
    assert found.simulated == ()
    some = find_targets(file, ARTIFACT, settings=["nodes.hub.address="])
    assert [target.node for target in some.real] == ["pi"]
    assert some.simulated == ("hub",)
    with pytest.raises(InputError, match=r"no node 'hubb' \(did you mean 'hub'\?\)"):
        find_targets(file, ARTIFACT, admin={"hubb": "hub.local:7"})
    with pytest.raises(InputError, match="no node that holds a part has an address"):
        find_targets(file, ARTIFACT, settings=["nodes.hub.address=", "nodes.pi.address="])
    with pytest.raises(InputError, match="'single' places the unsplit model"):
        find_targets(file, ARTIFACT, settings=["placement.strategy=single", "placement.fusion="])


def test_an_artifact_that_was_changed_is_not_sent(tmp_path: Path, keys: Path) -> None:
    with pytest.raises(InputError, match=r"holds no manifest\.key: deploy with the admin's keys"):
        pack(ARTIFACT, keys / "client")
    copy = tmp_path / "copy"
    shutil.copytree(ARTIFACT, copy)
    (copy / "part-2.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match=r"part-2\.safetensors has SHA-256"):
        pack(copy, keys / "admin")
    (copy / "manifest.json").write_text(json.dumps({"format": "edgesim-partition"}))
    done = edgesim("deploy", scenario(tmp_path / "s.yaml", {"hub": "127.0.0.1:1"}), copy,
                   "--keys", keys / "admin")  # fmt: skip
    assert_fails(done, 2, ["manifest.json"])


@pytest.mark.parametrize(
    ("whole", "activated", "told"),
    [
        (None, b"", "the node's reply is not a message of the protocol"),
        (False, b"", "the node's reply to the offer lacks a file that was offered"),
        (True, b"\xff" * 9, "the node's reply is not a message of the protocol"),
        (True, b"", "the node's reply names other models, or times out of range"),
        (True, math.nan, "the node's reply names other models, or times out of range"),
        (True, -1.0, "the node's reply names other models, or times out of range"),
    ],
)
def test_a_node_whose_replies_are_no_answers_is_not_deployed_to(
    keys: Path, manifest: SignedManifest, whole: bool | None, activated: bytes | float, told: str
) -> None:
    digest = manifest.entries["part-0"].sha256
    file = wire.OfferReply.File(sha256=digest if whole else "0" * 64, whole=True)
    offered = wire.OfferReply(files=[file]).SerializeToString()
    if isinstance(activated, float):
        times = dict.fromkeys(("load_s", "warm_up_s", "inference_s"), activated)
        loaded = wire.ActivateReply.Loaded(name="part-0", **times)
        activated = wire.ActivateReply(models=[loaded]).SerializeToString()
    replies = {"Offer": b"\xff" * 9 if whole is None else offered, "Activate": activated}

    def answer(data: bytes) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: data)

    server = grpc.server(ThreadPoolExecutor(1))
    handlers = {name: answer(data) for name, data in replies.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ADMIN, handlers),))
    credentials = read_access(keys / "localhost", plain=False).server_credentials(
        known_clients=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        row = push(f"127.0.0.1:{port}", keys, ("part-0",))
    finally:
        server.stop(None)
    assert (row.state, row.error, row.tries) == ("failed", told, 1)
