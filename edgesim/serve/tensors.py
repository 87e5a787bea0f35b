"""Tensors of the Open Inference Protocol: raw little-endian bytes with a shape."""

from __future__ import annotations

import functools
import math
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from grpc import StatusCode
from torch import Tensor

from edgesim.serve.refusal import RefusalError, invalid

DATATYPE = "FP32"
"""The protocol's name of the elements' type: parts compute in no other."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One named input or output of a model.

    Attributes:
        name: name of the tensor.
        shape: without the leading dimension, which counts samples and is free.
        optional: whether a request may leave it out.
    """

    name: str
    shape: tuple[int, ...]
    optional: bool = False

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return math.prod(self.shape) * torch.float32.itemsize


def check(spec: TensorSpec, datatype: str, shape: Sequence[int], max_samples: int) -> int:
    """Return the samples of a tensor that a message announces.

    Args:
        spec: the expected tensor.
        datatype: type in the message.
        shape: shape in the message.
        max_samples: most samples of one request.

    Raises:
        RefusalError: type or shape are others, or there are too many samples or none.
    """
    if datatype != DATATYPE:
        raise invalid(f"input '{spec.name}' must be {DATATYPE}, not {datatype[:20]!r}")
    if tuple(shape[1:]) != spec.shape or not shape:
        expected = ", ".join(map(str, ("samples", *spec.shape)))
        found = ", ".join(map(str, shape[:8])) + (", …" if len(shape) > 8 else "")
        raise invalid(f"input '{spec.name}' must have shape [{expected}], not [{found}]")
    if not 1 <= shape[0] <= max_samples:
        raise invalid(
            f"a request has 1 to {max_samples} samples, not {shape[0]}; send several requests"
        )
    return int(shape[0])


def from_raw(spec: TensorSpec, samples: int, data: bytes) -> Tensor:
    """Return the tensor (samples, *spec.shape) over ``data``; nothing is copied.

    The tensor must not be written to: it shares the memory of immutable bytes.

    Raises:
        RefusalError: ``data`` is shorter or longer than the shape says.
    """
    expected = samples * spec.sample_bytes
    if len(data) != expected:
        raise invalid(
            f"input '{spec.name}' of {samples} samples takes {expected} raw bytes, not {len(data)}"
        )
    _read_only_is_meant()
    flat = torch.frombuffer(data, dtype=torch.float32)
    return flat.reshape(samples, *spec.shape)


def from_list(spec: TensorSpec, samples: int, values: Sequence[float]) -> Tensor:
    """Return the tensor (samples, *spec.shape) of the elements of a typed list.

    Raises:
        RefusalError: there are more or fewer than the shape says.
    """
    expected = samples * math.prod(spec.shape)
    if len(values) != expected:
        raise invalid(
            f"input '{spec.name}' of {samples} samples has {expected} elements, not {len(values)}"
        )
    flat = torch.tensor(list(values), dtype=torch.float32)
    return flat.reshape(samples, *spec.shape)


def to_raw(tensor: Tensor) -> bytes:
    """Return the elements of a tensor in row-major order, little-endian."""
    return tensor.contiguous().view(torch.uint8).numpy().tobytes()


@functools.cache
def _read_only_is_meant() -> None:
    """Take torch's one warning of a tensor over memory that must not be written to."""
    if sys.byteorder != "little":
        raise RefusalError(
            StatusCode.INTERNAL, "raw tensors are little-endian; this machine is not"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.frombuffer(bytes(1), dtype=torch.uint8)
