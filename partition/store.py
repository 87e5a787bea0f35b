"""Files that are whole or absent: atomic writes, safetensors with a JSON state, hashes."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from partition.errors import InputError, PartitionError


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the new one, never half.

    The bytes go to a temporary name in the same folder, reach the disk, and are then renamed.

    Raises:
        PartitionError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise PartitionError(
            f"cannot write {path} ({len(data)} bytes): {error.strerror or error}; "
            "make room or choose another folder and run again: finished steps are kept"
        ) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def to_json(value: object) -> str:
    """Return ``value`` as JSON that is the same for equal values; NaN and infinity are refused."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"


def save_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any] | None = None
) -> None:
    """Write tensors and a JSON state as one safetensors file, atomically.

    ``state`` goes to the file's header under the key ``state``, so that both are always of the
    same moment. The bytes are a function of the arguments alone.

    Raises:
        PartitionError: the file cannot be written.
    """
    ready = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    metadata = {"state": json.dumps(state or {}, sort_keys=True)}
    write_atomic(path, safetensors.torch.save(ready, metadata=metadata))


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what :func:`save_tensors`, or any other program, wrote as safetensors.

    Returns:
        The tensors by name, and the JSON state (empty where the file carries none).

    Raises:
        InputError: the file is missing, truncated or not safetensors.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        tensors = safetensors.torch.load(data)
        header_bytes = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + header_bytes])
        state = json.loads(header.get("__metadata__", {}).get("state", "{}"))
    except (safetensors.SafetensorError, ValueError, KeyError, struct.error) as error:
        raise InputError(
            f"{path} is not a whole safetensors file ({error}); "
            "fetch or make it again (pickled checkpoints are not read: convert them)"
        ) from error
    return tensors, state


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
