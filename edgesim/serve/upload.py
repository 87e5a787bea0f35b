"""One file on its way to a node: a growing file beside, renamed when it is whole and right."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

from edgesim.serve.refusal import Reason, RefusalError, invalid

_BLOCK_BYTES = 1 << 20


class Upload:
    """Writes chunks at the end of a partial file.

    What was written stays after a break, so that the next upload goes on there; it is deleted when
    it cannot become the file that was announced.

    Attributes:
        received_bytes: how many leading bytes are there.
    """

    def __init__(self, partial: Path, target: Path, digest: str, size: int, offset: int) -> None:
        """Open the partial file and cut it to ``offset`` bytes."""
        self._partial = partial
        self._target = target
        self._digest = digest
        self._size = size
        self._sum = hashlib.sha256()
        self.received_bytes = offset
        self._handle = os.open(partial, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._handle, offset)
        while block := os.read(self._handle, _BLOCK_BYTES):
            self._sum.update(block)

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._handle)

    def write(self, chunk: bytes) -> None:
        """Append a chunk.

        Raises:
            RefusalError: more comes than was announced, or the disk is full.
        """
        if self.received_bytes + len(chunk) > self._size:
            self._partial.unlink(missing_ok=True)
            raise invalid(f"more than the announced {self._size} bytes came")
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except OSError as error:
            self._partial.unlink(missing_ok=True)
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            raise RefusalError(
                Reason.RESOURCE_EXHAUSTED if full else Reason.INTERNAL,
                f"cannot store the file: {error.strerror or error}; what had come is deleted",
            ) from error
        self._sum.update(chunk)
        self.received_bytes += len(chunk)

    def finish(self) -> None:
        """Give the file its name.

        Raises:
            RefusalError: it is shorter than announced, and waits to be gone on with; or its hash is
                another one, and it is deleted.
        """
        if self.received_bytes < self._size:
            raise RefusalError(
                Reason.ABORTED,
                f"{self.received_bytes} of {self._size} bytes came; go on from there",
            )
        if (found := self._sum.hexdigest()) != self._digest:
            self._partial.unlink(missing_ok=True)
            raise RefusalError(
                Reason.DATA_LOSS,
                f"the file has SHA-256 {found[:12]}…, not {self._digest[:12]}…; send it again",
            )
        os.fsync(self._handle)
        os.replace(self._partial, self._target)
