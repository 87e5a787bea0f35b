"""Files of a node: whole or growing, by hash and never by a stranger's name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from edgesim.common.errors import EdgesimError
from edgesim.serve.manifest import SignedManifest, read_public_key, sign, verify
from edgesim.serve.refusal import RefusalError
from edgesim.serve.store import SPARE_BYTES, Store
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
    store.add_manifest(manifest)
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
    store: Store, manifest: SignedManifest
) -> None:
    assert store.active() is None
    put(store)
    refused(StatusCode.ABORTED, "10 of", put, store, DATA[:10])
    store.add_manifest(manifest)
    store.activate(manifest, ["part-0", "fusion"])
    found = store.active()
    assert found is not None
    assert (found.manifest, found.models) == (manifest.sha256, ("part-0", "fusion"))
    name = f"manifests/{manifest.sha256}"
    assert files(store) == {"active.json", name, f"{name}.sig"}
    for text in ("", "[]", '{"manifest": "../x", "models": []}', '{"manifest": 1, "models": []}'):
        (store.folder / "active.json").write_text(text)
        with pytest.raises(RefusalError):
            store.active()


def test_a_store_is_one_nodes(store: Store) -> None:
    with pytest.raises(EdgesimError, match="another node uses"), Store(store.folder):
        pass
    with pytest.raises(EdgesimError, match="as a store"), Store(Path("/proc/none")):
        pass


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
                StatusCode.RESOURCE_EXHAUSTED, "No space left on device; what had come is deleted",
                upload.write, bytes(8192),
            )  # fmt: skip
        assert files(store) == set()
