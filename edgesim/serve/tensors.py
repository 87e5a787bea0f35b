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

from edgesim.serve import encoded
from edgesim.serve.encoded import Decoder, Encoded
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
        decoder: makes it of encoded images; None where they are not taken.
    """

    name: str
    shape: tuple[int, ...]
    optional: bool = False
    decoder: Decoder | None = None

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
        others = f" or {encoded.DATATYPE} (a JPEG for each sample)" if spec.decoder else ""
        raise invalid(f"input '{spec.name}' must be {DATATYPE}{others}, not {datatype[:20]!r}")
    if tuple(shape[1:]) != spec.shape or not shape:
        expected = ", ".join(map(str, ("samples", *spec.shape)))
        found = ", ".join(map(str, shape[:8])) + (", …" if len(shape) > 8 else "")
        raise invalid(f"input '{spec.name}' must have shape [{expected}], not [{found}]")
    return _samples(shape[0], max_samples)


def _samples(count: int, most: int) -> int:
    """Return a number of samples.

    Raises:
        RefusalError: there are too many, or none.
    """
    if not 1 <= count <= most:
        raise invalid(f"a request has 1 to {most} samples, not {count}; send several requests")
    return int(count)


def is_encoded(spec: TensorSpec, datatype: str) -> bool:
    """Return whether a message announces encoded images where they are taken."""
    return spec.decoder is not None and datatype == encoded.DATATYPE


def from_encoded(
    spec: TensorSpec, shape: Sequence[int], data: bytes | Sequence[bytes], max_samples: int
) -> Encoded:
    """Return encoded images of an input, which are not decoded yet.

    Args:
        spec: the expected input.
        shape: shape in the message.
        data: raw bytes, or a typed list of images.
        max_samples: most samples of one request.

    Raises:
        RefusalError: they are others than announced, or too large.
    """
    assert spec.decoder is not None, "is_encoded"
    if len(shape) != 1:
        raise invalid(f"input '{spec.name}' of encoded images must have the shape [samples]")
    samples = _samples(shape[0], max_samples)
    images = encoded.unpack(spec.name, samples, data) if isinstance(data, bytes) else tuple(data)
    if len(images) != samples:
        raise invalid(f"input '{spec.name}' of {samples} samples has {len(images)} encoded images")
    spec.decoder.check(spec.name, images)
    return Encoded(spec.name, images, spec.decoder)


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
