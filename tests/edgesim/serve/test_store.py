"""Files of a node: whole or growing, by hash and never by a stranger's name."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from edgesim.common.errors import EdgesimError
from edgesim.hardware import Queue
from edgesim.serve.manifest import SignedManifest, read_public_key, sign, verify
from edgesim.serve.refusal import RefusalError
from edgesim.serve.store import MOST_OFFERS, SPARE_BYTES, Active, Store
from partition.manifest import manifest_hash
from tests.edgesim.disk import small_disk

DATA = bytes(range(256)) * 40
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened


def put(store: Store, data: bytes = DATA, *, size: int | None = None, offset: int = 0) -> None:
    with store.receive(DIGEST, len(DATA) if size is None else size, offset) as upload:
        for start in range(0, len(data), 1000):
            upload.write(data[start : start + 1000])
        upload.finish()


def refused(reason: StatusCode, match: str, call, *arguments, **named) -> None:
    with pytest.raises(RefusalError, match=match) as caught:
        call(*arguments, **named)
    assert caught.value.code is reason


def files(store: Store) -> set[str]:
    found = (path for path in store.folder.rglob("*") if path.is_file())
    return {str(path.relative_to(store.folder)) for path in found} - {"lock"}


def test_a_file_is_there_when_it_is_whole_and_right(store: Store) -> None:
    assert not store.has(DIGEST)
    put(store)
    assert store.has(DIGEST)
    assert store.path(DIGEST).read_bytes() == DATA
    assert files(store) == {f"blobs/{DIGEST}"}


@pytest.mark.parametrize("cut", [0, 1, 1000, 4321, len(DATA) - 1])
def test_a_break_keeps_what_came_and_the_rest_makes_it_whole(store: Store, cut: int) -> None:
    refused(StatusCode.ABORTED, f"{cut} of {len(DATA)} bytes came", put, store, DATA[:cut])
    assert not store.has(DIGEST)
    assert store.have_bytes(DIGEST) == cut
    put(store, DATA[cut:], offset=cut)
    assert store.path(DIGEST).read_bytes() == DATA
    assert files(store) == {f"blobs/{DIGEST}"}


def test_one_may_begin_anew_or_further_back_but_not_leave_a_gap(store: Store) -> None:
    refused(StatusCode.ABORTED, "5000 of", put, store, DATA[:5000])
    refused(StatusCode.ABORTED, "5000 are here", put, store, DATA[6000:], offset=6000)
    put(store, DATA[3000:], offset=3000)
    assert store.path(DIGEST).read_bytes() == DATA


def test_other_bytes_are_refused_and_leave_nothing(store: Store) -> None:
    wrong = DATA[:-1] + b"x"
    refused(StatusCode.DATA_LOSS, "the file has SHA-256", put, store, wrong)
    assert files(store) == set()
    refused(StatusCode.INVALID_ARGUMENT, "more than the announced", put, store, DATA + b"x")
    assert files(store) == set()
    # A beginning that was damaged meanwhile is found when the rest is there.
    refused(StatusCode.ABORTED, "2000 of", put, store, wrong[-1:] + DATA[1:2000])
    refused(StatusCode.DATA_LOSS, "send it again", put, store, DATA[2000:], offset=2000)
    assert files(store) == set()


@pytest.mark.parametrize(
    "name",
    ["", "..", "../" + DIGEST, "/etc/passwd", DIGEST.upper(), DIGEST[:-1], DIGEST + "0",
     DIGEST + "\n", "\0" * 64, "٣" * 64, "x" * 64],
)  # fmt: skip
def test_no_name_from_outside_becomes_a_path(
    store: Store, name: str, keys: Path, tmp_path: Path
) -> None:
    trusted = read_public_key(keys / "localhost" / "manifest.pub")
    before = sorted(tmp_path.rglob("*"))
    for call in (store.has, store.have_bytes, store.path, lambda name: store.receive(name, 1, 0),
                 lambda name: store.manifest(name, trusted)):  # fmt: skip
        refused(StatusCode.INVALID_ARGUMENT, "expected a SHA-256", call, name)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_that_was_damaged_on_disk_is_not_loaded(store: Store) -> None:
    put(store)
    path = store.folder / "blobs" / DIGEST
    path.write_bytes(DATA[:-1])
    refused(StatusCode.DATA_LOSS, "was damaged on disk", store.path, DIGEST)
    assert not store.has(DIGEST)
    refused(StatusCode.FAILED_PRECONDITION, "is not here; upload it", store.path, DIGEST)


def test_manifests_are_verified_whenever_they_are_read(
    store: Store, manifest: SignedManifest, keys: Path
) -> None:
    trusted = read_public_key(keys / "localhost" / "manifest.pub")
    refused(StatusCode.FAILED_PRECONDITION, "was not offered", store.manifest, "0" * 64, trusted)
    store.offer(manifest, [], trusted)
    assert store.manifest(manifest.sha256, trusted) == manifest
    assert list(store.manifests(trusted)) == [manifest]
    path = store.folder / "manifests" / manifest.sha256
    path.write_bytes(manifest.data.replace(b"part-0", b"part-1", 1))
    refused(StatusCode.PERMISSION_DENIED, "changed", store.manifest, manifest.sha256, trusted)
    assert list(store.manifests(trusted)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["fusion"].update(file="../outside.safetensors"), "files in its own folder"),
        (lambda m: m["parts"][0].update(classes=[99]), r"parts\.0\.classes: expected at most 9"),
        (lambda m: m["parts"][0].update(bytes=-1), r"parts\.0\.bytes: expected at least 0"),
        (lambda m: m.update(parts="x"), r"parts: expected a valid array, got 'x'"),
        (lambda m: m["files"].pop("part-0.safetensors"), r"expected a key of 'files'"),
        (lambda m: m.pop("name"), "name: expected a value, got none"),
    ],
)
def test_signed_manifests_that_say_the_impossible_are_refused(
    manifest: SignedManifest, keys: Path, change: Callable[[Any], None], message: str
) -> None:
    document = json.loads(manifest.data)
    change(document)
    data = json.dumps({**document, "sha256": manifest_hash(document)}).encode()
    signature = sign(data, keys / "admin" / "manifest.key")
    trusted = read_public_key(keys / "localhost" / "manifest.pub")
    refused(StatusCode.INVALID_ARGUMENT, message, verify, data, signature, trusted)


def test_what_is_served_is_remembered_and_the_rest_is_cleared(
    store: Store, manifest: SignedManifest, keys: Path
) -> None:
    trusted = read_public_key(keys / "localhost" / "manifest.pub")
    assert store.active() is None
    put(store)
    refused(StatusCode.ABORTED, "10 of", put, store, DATA[:10])
    store.offer(manifest, [], trusted)
    store.activate(manifest, ["part-0", "fusion"])
    found = store.active()
    assert found is not None
    assert (found.manifest, found.models) == (manifest.sha256, ("part-0", "fusion"))
    name = f"manifests/{manifest.sha256}"
    assert files(store) == {"active.json", name, f"{name}.sig"}
    queue = Queue(order="edf", limit=9, full="drop-oldest", skip_late=True)
    store.activate(manifest, ["part-0"], queue)
    assert store.active() == Active(manifest.sha256, ("part-0",), queue)
    wrong = '{"manifest": "%s", "models": [], "queue": %s}'
    for queue_text in ("[]", '{"order": "lifo"}', '{"other": 1}', '{"limit": -1}'):
        (store.folder / "active.json").write_text(wrong % (manifest.sha256, queue_text))
        with pytest.raises(RefusalError):
            store.active()
    for text in ("", "[]", '{"manifest": "../x", "models": []}', '{"manifest": 1, "models": []}'):
        (store.folder / "active.json").write_text(text)
        with pytest.raises(RefusalError):
            store.active()


def test_a_store_is_one_nodes(store: Store) -> None:
    with pytest.raises(EdgesimError, match="another node uses"), Store(store.folder):
        pass
    with pytest.raises(EdgesimError, match="as a store"), Store(Path("/proc/none")):
        pass


def variant(manifest: SignedManifest, keys: Path, name: str, more_bytes: int = 0) -> SignedManifest:
    """Return a manifest like another one, of another name and so many more bytes."""
    document = {**json.loads(manifest.data), "name": name}
    data = json.dumps({**document, "sha256": manifest_hash(document)}).encode()
    data += b" " * more_bytes
    trusted = read_public_key(keys / "localhost" / "manifest.pub")
    return verify(data, sign(data, keys / "admin" / "manifest.key"), trusted)


def test_offers_that_are_never_activated_are_few_and_go_with_their_files(
    store: Store, manifest: SignedManifest, keys: Path
) -> None:
    trusted = read_public_key(keys / "localhost" / "manifest.pub")
    store.offer(manifest, [], trusted)
    store.activate(manifest, ["part-0"])
    put(store)
    offered = [variant(manifest, keys, f"offer-{number}") for number in range(MOST_OFFERS + 3)]
    for number, one in enumerate(offered):
        store.offer(one, [], trusted)
        # Offers of one moment would have no order.
        os.utime(store.folder / "manifests" / one.sha256, ns=(number, number))
    left = {one.sha256 for one in store.manifests(trusted)}
    assert left == {manifest.sha256, *(one.sha256 for one in offered[-MOST_OFFERS:])}
    assert not store.has(DIGEST), "no manifest that is left names it"


def test_offers_leave_the_spare_bytes_free_and_do_not_hinder_a_deploy(
    tmp_path: Path, manifest: SignedManifest, keys: Path
) -> None:
    trusted = read_public_key(keys / "localhost" / "manifest.pub")
    with small_disk(tmp_path, "4m") as disk, Store(disk / "store") as store:
        store.offer(manifest, [], trusted)
        store.activate(manifest, ["part-0"])
        for number in range(6):
            store.offer(variant(manifest, keys, f"offer-{number}", 900_000), [], trusted)
            assert store.free_bytes >= SPARE_BYTES
        assert store.manifest(manifest.sha256, trusted) == manifest
        size = store.free_bytes
        store.offer(variant(manifest, keys, "last"), [(DIGEST, size)], trusted)
        assert len(list(store.manifests(trusted))) == 2
        told = "more are needed with 1048576 to spare; make room"
        refused(
            StatusCode.RESOURCE_EXHAUSTED, told,
            store.offer, variant(manifest, keys, "no"), [(DIGEST, 4 << 20)], trusted,
        )  # fmt: skip


def test_a_link_in_the_place_of_a_partial_file_leads_nowhere(store: Store, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"mine")
    (store.folder / "partial" / DIGEST).symlink_to(other)
    assert store.have_bytes(DIGEST) == 0
    put(store)
    assert other.read_bytes() == b"mine"
    assert store.path(DIGEST).read_bytes() == DATA
    (store.folder / "blobs" / DIGEST).unlink()
    (store.folder / "blobs" / DIGEST).symlink_to(other)
    assert not store.has(DIGEST)
    os.mkfifo(store.folder / "partial" / DIGEST)
    put(store)
    assert store.path(DIGEST).read_bytes() == DATA


def test_only_the_owner_can_read_a_store(
    tmp_path: Path, manifest: SignedManifest, keys: Path
) -> None:
    trusted = read_public_key(keys / "localhost" / "manifest.pub")
    # As an earlier version left it.
    (tmp_path / "store" / "blobs").mkdir(parents=True, mode=0o755)
    (tmp_path / "store" / "active.json").write_text("{}")
    for name in ("store", "new"):
        with Store(tmp_path / name) as store:
            mode = stat.S_IMODE(store.folder.stat().st_mode)
            assert name == "store" or mode == 0o700
            if name == "store":
                assert stat.S_IMODE((store.folder / "active.json").stat().st_mode) == 0o600
            put(store)
            store.offer(manifest, [], trusted)
            refused(StatusCode.ABORTED, "10 of", put, store, DATA[:10])
            store.activate(manifest, ["part-0"])
            for path in store.folder.rglob("*"):
                wanted = 0o700 if path.is_dir() else 0o600
                assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_a_newer_upload_of_a_file_takes_over(store: Store) -> None:
    older = store.receive(DIGEST, len(DATA), 0)
    older.write(DATA[:5000])
    older.replace()
    put(store, DATA[3000:], offset=3000)
    refused(StatusCode.ABORTED, "another upload of this file", older.write, DATA[5000:])
    older.__exit__(None, None, None)
    assert store.path(DIGEST).read_bytes() == DATA


def test_a_file_whose_offer_went_meanwhile_is_refused(
    store: Store, manifest: SignedManifest, keys: Path
) -> None:
    with store.receive(DIGEST, len(DATA), 0) as upload:
        upload.write(DATA)
        store.activate(manifest, ["part-0"])
        refused(StatusCode.ABORTED, "its offer is no more", upload.finish)
    assert not store.has(DIGEST)


def test_empty_chunks_are_refused(store: Store) -> None:
    with store.receive(DIGEST, len(DATA), 0) as upload:
        refused(StatusCode.INVALID_ARGUMENT, "an empty chunk came", upload.write, b"")


def test_a_full_disk_is_told_before_and_leaves_nothing_after(tmp_path: Path) -> None:
    with small_disk(tmp_path, "2m") as disk, Store(disk / "store") as store:
        size = (2 << 20) - SPARE_BYTES + 1
        told = f"{size} more are needed with {SPARE_BYTES} to spare"
        refused(StatusCode.RESOURCE_EXHAUSTED, told, store.receive, DIGEST, size, 0)
        store.receive(DIGEST, size // 2, 0).__exit__(None, None, None)
        # Something else fills the disk while the file comes in.
        with store.receive(DIGEST, size // 2, 0) as upload:
            upload.write(bytes(4096))
            (disk / "other").write_bytes(bytes(store.free_bytes))
            refused(
                StatusCode.RESOURCE_EXHAUSTED, "0 bytes left, of which .* what had come is deleted",
                upload.write, bytes(8192),
            )  # fmt: skip
        assert files(store) == set()
