"""Files that are whole or absent: atomic writes, JSON, hashes. Nothing here needs torch."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from partition.errors import PartitionError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Open a text file beside ``path`` that takes its name at the end of the block.

    Missing folders are made. The bytes reach the disk before the name does. After an exception the
    file is gone, and what was at ``path`` before stays as it was.

    Raises:
        OSError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "x", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path, start: str) -> None:
    """Remove what killed writers of files whose names begin with ``start`` left in a folder.

    The caller holds a lock, so that no other process writes such a file now.
    """
    for left in folder.glob(f".{glob.escape(start)}*.tmp"):
        left.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the new one, never half.

    Raises:
        PartitionError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    try:
        with whole_file(path) as file:
            file.buffer.write(data)
    except OSError as error:
        raise PartitionError(
            f"cannot write {path} ({len(data)} bytes): {error.strerror or error}; "
            "make room or choose another folder and run again: finished steps are kept"
        ) from error


def to_json(value: object) -> str:
    """Return ``value`` as JSON that is the same for equal values; NaN and infinity are refused."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(*values: object) -> str:
    """Return 16 hexadecimal digits that are the same for equal JSON-able values."""
    text = json.dumps(values, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
