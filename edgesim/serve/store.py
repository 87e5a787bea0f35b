"""Files of a node on disk, by their SHA-256: whole and verified, or growing beside.

No name that came over the network becomes a name of a file: a file is called by its hash, which is
64 hexadecimal digits or refused. ::

    STORE/blobs/<sha256>        verified
    STORE/partial/<sha256>      the beginning of one, to go on from after a break
    STORE/manifests/<sha256>    signed manifests, with <sha256>.sig
    STORE/active.json           what was served last, served again after a restart
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519
from grpc import StatusCode

from edgesim.common.errors import EdgesimError, InputError, write_error
from edgesim.common.files import open_inside, whole_file
from edgesim.common.lock import Lock, LockedError
from edgesim.hardware import Queue
from edgesim.serve.manifest import SignedManifest, verify
from edgesim.serve.protocol import admin_pb2 as wire
from edgesim.serve.queues import from_message, to_message
from edgesim.serve.refusal import RefusalError, invalid
from partition.files import sha256, to_json

SPARE_BYTES = 1 << 20
"""Bytes that stay free beside uploads and manifests, for the list of served models."""
MOST_OFFERS = 4
"""Signed manifests that are kept beside the active one; the oldest goes with its files."""
_LARGEST_ACTIVE = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Active:
    """The models that a node served last.

    Attributes:
        manifest: its SHA-256.
        models: names of the models.
        queue: queue that a deployment brought; None where it brought none.
    """

    manifest: str
    models: tuple[str, ...]
    queue: Queue | None = None


class Store:
    """The folder of one node.

    As a context manager, it locks the folder for this node.

    Attributes:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: Lock | None = None

    def __enter__(self) -> Store:
        try:
            # A folder that was there, as systemd makes it, keeps its mode; its content is private.
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in ("blobs", "partial", "manifests"):
                (self.folder / name).mkdir(exist_ok=True)
                (self.folder / name).chmod(0o700)
            if (self.folder / "active.json").exists():
                (self.folder / "active.json").chmod(0o600)
            self._lock = Lock(self.folder / "lock", mode=0o600)
        except LockedError:
            raise InputError(
                f"another node uses {self.folder}; give each a --store of its own"
            ) from None
        except OSError as error:
            raise write_error(f"cannot use {self.folder} as a store", error) from error
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def free_bytes(self) -> int:
        """Bytes that the disk has left."""
        return shutil.disk_usage(self.folder).free

    def has(self, digest: str) -> bool:
        """Return whether a file is stored completely."""
        return _size(self.folder / "blobs" / checked(digest)) is not None

    def have_bytes(self, digest: str) -> int:
        """Return how many leading bytes of a file are stored."""
        for name in ("blobs", "partial"):
            if (size := _size(self.folder / name / checked(digest))) is not None:
                return size
        return 0

    def is_whole(self, digest: str) -> bool:
        """Return whether a file is stored and has its hash; one that was damaged is deleted."""
        try:
            self.path(digest)
        except RefusalError:
            return False
        return True

    def path(self, digest: str) -> Path:
        """Return the path of a file after verifying its hash.

        Raises:
            RefusalError: it is not there, or was changed on disk; then it is deleted.
        """
        path = self.folder / "blobs" / checked(digest)
        if _size(path) is None:
            raise RefusalError(
                StatusCode.FAILED_PRECONDITION, f"file {digest[:12]}… is not here; upload it"
            )
        if sha256(path) != digest:
            path.unlink(missing_ok=True)
            raise RefusalError(
                StatusCode.DATA_LOSS, f"file {digest[:12]}… was damaged on disk; deploy it again"
            )
        return path

    def check_room(self, files: Iterable[tuple[str, int]], more_bytes: int = 0) -> None:
        """Refuse files, each a hash and a size in bytes, that the disk has no room for.

        Args:
            files: to be stored; what is there of them counts.
            more_bytes: to be stored beside them.

        Raises:
            RefusalError: they do not fit.
        """
        missing = more_bytes + sum(max(0, size - self.have_bytes(digest)) for digest, size in files)
        if missing and missing + SPARE_BYTES > (free := self.free_bytes):
            raise RefusalError(
                StatusCode.RESOURCE_EXHAUSTED,
                f"the disk has {free} bytes free, and {missing} more are needed with {SPARE_BYTES} "
                "to spare; make room",
            )

    def receive(self, digest: str, size: int, offset: int) -> Upload:
        """Return an upload that continues at ``offset``.

        Raises:
            RefusalError: the node has another number of bytes, or no room for the rest.
        """
        have = 0 if self.has(digest) else self.have_bytes(digest)
        if offset > have or size < offset:
            raise RefusalError(
                StatusCode.ABORTED,
                f"cannot go on at byte {offset} of {size}: {have} are here; ask again",
            )
        self.check_room([(digest, size)])
        target = self.folder / "blobs" / checked(digest)
        return Upload(self.folder / "partial" / digest, target, digest, size, offset)

    def offer(
        self,
        manifest: SignedManifest,
        files: Sequence[tuple[str, int]],
        trusted: ed25519.Ed25519PublicKey,
    ) -> None:
        """Store a signed manifest, if the disk has room for it and its files.

        Offers that were never activated go first where there is no room, or where they are more
        than `MOST_OFFERS`; what is served stays.

        Args:
            manifest: is stored.
            files: that the node shall get, each a hash and a size in bytes.
            trusted: public key of the manifests in the store.

        Raises:
            RefusalError: the disk has no room.
        """
        served = self._served()
        offers = sorted(
            (one for one in self.manifests(trusted) if one.sha256 != manifest.sha256),
            key=lambda one: (one.sha256 != served, -self._manifest(one.sha256).stat().st_mtime_ns),
        )
        kept = [one for one in offers if one.sha256 == served]
        stored = _size(self._manifest(manifest.sha256)) is not None
        size = 0 if stored else len(manifest.data) + len(manifest.signature)
        if len(offers) - len(kept) >= MOST_OFFERS:
            self._keep([manifest, *offers[: len(kept) + MOST_OFFERS - 1]])
        try:
            self.check_room(files, size)
        except RefusalError:
            self._keep([manifest, *kept])
            self.check_room(files, size)
        self._write(self._manifest(manifest.sha256).with_suffix(".sig"), manifest.signature)
        self._write(self._manifest(manifest.sha256), manifest.data)

    def _served(self) -> str | None:
        """Return the hash of the active manifest; None where there is none, or it is damaged."""
        with contextlib.suppress(RefusalError):
            if (active := self.active()) is not None:
                return active.manifest
        return None

    def _manifest(self, digest: str) -> Path:
        return self.folder / "manifests" / checked(digest)

    def _write(self, path: Path, data: bytes) -> None:
        """Write a file that its owner alone may read.

        Raises:
            RefusalError: the disk is full, or cannot be written.
        """
        try:
            with whole_file(path) as file:
                os.fchmod(file.fileno(), 0o600)
                file.buffer.write(data)
        except EdgesimError as error:
            raise RefusalError(
                StatusCode.RESOURCE_EXHAUSTED, f"{error}; make room on the node's disk"
            ) from error

    def _keep(self, manifests: Iterable[SignedManifest]) -> None:
        """Delete all manifests but these, and all files that they do not name."""
        names = {one.sha256 for one in manifests}
        known = {entry.sha256 for one in manifests for entry in one.entries.values()}
        for folder, kept in (("blobs", known), ("partial", known), ("manifests", names)):
            for path in (self.folder / folder).iterdir():
                if path.stem not in kept:
                    path.unlink(missing_ok=True)

    def manifest(self, digest: str, trusted: ed25519.Ed25519PublicKey) -> SignedManifest:
        """Return a stored manifest after verifying its signature.

        Raises:
            RefusalError: it is not there, or not as it was signed.
        """
        path = self._manifest(digest)
        try:
            data, signature = path.read_bytes(), path.with_suffix(".sig").read_bytes()
        except OSError as error:
            raise RefusalError(
                StatusCode.FAILED_PRECONDITION,
                f"manifest {digest[:12]}… was not offered; offer it first",
            ) from error
        return verify(data, signature, trusted)

    def manifests(self, trusted: ed25519.Ed25519PublicKey) -> Iterator[SignedManifest]:
        """Yield the manifests that were offered; one that was changed on disk counts as none."""
        for path in (self.folder / "manifests").iterdir():
            if _SHA256.fullmatch(path.name):
                with contextlib.suppress(RefusalError):
                    yield self.manifest(path.name, trusted)

    def active(self) -> Active | None:
        """Return what was served last; None where nothing was."""
        try:
            with open_inside(self.folder / "active.json", largest_bytes=_LARGEST_ACTIVE) as file:
                document = json.loads(file.read())
            digest, models = checked(document["manifest"]), tuple(map(str, document["models"]))
            queue = document.get("queue")
            return Active(
                digest, models, None if queue is None else from_message(wire.Queue(**queue))
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, InputError) as error:
            raise RefusalError(
                StatusCode.DATA_LOSS,
                f"{self.folder}/active.json is damaged ({error}); deploy again",
            ) from error

    def activate(
        self, manifest: SignedManifest, models: Iterable[str], queue: Queue | None = None
    ) -> None:
        """Record the served models and their queue, and delete the files of other artifacts."""
        chosen: dict[str, object] = {"manifest": manifest.sha256, "models": list(models)}
        if queue is not None:
            message = to_message(queue)
            chosen["queue"] = {
                one.name: getattr(message, one.name) for one, _ in message.ListFields()
            }
        self._write(self.folder / "active.json", to_json(chosen).encode())
        self._keep([manifest])


def checked(digest: str) -> str:
    """Return a hash that may become the name of a file.

    Raises:
        RefusalError: it is not 64 hexadecimal digits.
    """
    if _SHA256.fullmatch(digest) is None:
        raise invalid(f"expected a SHA-256, got {digest[:100]!r}")
    return digest


def _size(path: Path) -> int | None:
    """Return the size of a regular file in bytes; None where there is none, but perhaps a link."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


_BLOCK_BYTES = 1 << 20


class Upload:
    """Writes chunks at the end of a partial file.

    What was written stays after a break, so that the next upload goes on there; it is deleted when
    it cannot become the file that was announced.

    Attributes:
        received_bytes: number of leading bytes that are stored.
    """

    def __init__(self, partial: Path, target: Path, digest: str, size: int, offset: int) -> None:
        """Open the partial file and cut it to ``offset`` bytes.

        Raises:
            RefusalError: it cannot be opened.
        """
        self._partial = partial
        self._target = target
        self._digest = digest
        self._size = size
        self._sum = hashlib.sha256()
        self.received_bytes = offset
        self._finishing = False
        self._replaced = False
        try:
            if _size(partial) is None:
                # Whatever has the name leads elsewhere: a link that someone else made.
                partial.unlink(missing_ok=True)
            self._handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            os.ftruncate(self._handle, offset)
        except OSError as error:
            raise RefusalError(
                StatusCode.INTERNAL, f"cannot store the file: {error.strerror or error}"
            ) from error
        while block := os.read(self._handle, _BLOCK_BYTES):
            self._sum.update(block)

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._handle)

    def replace(self) -> None:
        """Let another upload of the same file take over.

        Raises:
            RefusalError: all of it is here, and its hash is being computed.
        """
        if self._finishing:
            raise RefusalError(
                StatusCode.ABORTED, "another upload of this file is about to end; ask again"
            )
        self._replaced = True

    def _check_replaced(self) -> None:
        if self._replaced:
            raise RefusalError(StatusCode.ABORTED, "another upload of this file has begun")

    def write(self, chunk: bytes) -> None:
        """Append a chunk.

        Raises:
            RefusalError: it is empty, more comes than was announced, the disk is full, or another
                upload took over.
        """
        self._check_replaced()
        if not chunk:
            raise invalid("an empty chunk came")
        if self.received_bytes + len(chunk) > self._size:
            self._partial.unlink(missing_ok=True)
            raise invalid(f"more than the announced {self._size} bytes came")
        if len(chunk) + SPARE_BYTES > (free := shutil.disk_usage(self._partial.parent).free):
            self._partial.unlink(missing_ok=True)
            raise RefusalError(
                StatusCode.RESOURCE_EXHAUSTED,
                f"cannot store the file: the disk has {free} bytes left, of which {SPARE_BYTES} "
                "stay free; what had come is deleted",
            )
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except OSError as error:
            self._partial.unlink(missing_ok=True)
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            raise RefusalError(
                StatusCode.RESOURCE_EXHAUSTED if full else StatusCode.INTERNAL,
                f"cannot store the file: {error.strerror or error}; what had come is deleted",
            ) from error
        self._sum.update(chunk)
        self.received_bytes += len(chunk)

    def finish(self) -> None:
        """Give the file its name.

        Raises:
            RefusalError: it is shorter than announced, and waits to be gone on with; its hash is
                another one, and it is deleted; or another artifact was activated meanwhile.
        """
        self._check_replaced()
        self._finishing = True
        if self.received_bytes < self._size:
            raise RefusalError(
                StatusCode.ABORTED,
                f"{self.received_bytes} of {self._size} bytes came; go on from there",
            )
        if (found := self._sum.hexdigest()) != self._digest:
            self._partial.unlink(missing_ok=True)
            raise RefusalError(
                StatusCode.DATA_LOSS,
                f"the file has SHA-256 {found[:12]}…, not {self._digest[:12]}…; send it again",
            )
        os.fsync(self._handle)
        try:
            os.replace(self._partial, self._target)
        except FileNotFoundError:
            raise RefusalError(
                StatusCode.ABORTED,
                "the file was deleted meanwhile: its offer is no more; offer it again",
            ) from None
