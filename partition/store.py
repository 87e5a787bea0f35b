"""Tensors with a JSON state in one safetensors file, written whole or not at all."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from partition.errors import InputError
from partition.files import write_atomic


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
        if not isinstance(state, dict):
            raise ValueError("its state is no mapping")
        if any(not tensor.numel() for tensor in tensors.values()):
            raise ValueError("a tensor holds nothing")
    except (
        safetensors.SafetensorError, ValueError, KeyError, TypeError, RecursionError, struct.error,
    ) as error:  # fmt: skip
        raise InputError(
            f"{path} is not a whole safetensors file ({error}); "
            "fetch or make it again (pickled checkpoints are not read: convert them)"
        ) from error
    return tensors, state
