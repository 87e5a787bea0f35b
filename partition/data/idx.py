"""IDX files, the format of MNIST and Fashion-MNIST, plain or gzipped."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from partition.errors import InputError

UNSIGNED_BYTE = 0x08
"""The type code of the only element type that image data sets use."""


def read_idx(path: Path) -> Tensor:
    """Return the uint8 tensor of an IDX file; a name that ends in ``.gz`` is unpacked.

    The file is: two zero bytes, the type code, the number of dimensions, each dimension as a
    big-endian 32-bit number, then the elements (LeCun et al., the MNIST page).

    Raises:
        InputError: the file is missing, truncated, too long, or of another format.
    """
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}; copy it again from its source") from error
    if len(data) < 4 or data[:2] != b"\0\0":
        raise InputError(f"{path} is not an IDX file: it must start with two zero bytes")
    if data[2] != UNSIGNED_BYTE:
        raise InputError(f"{path} holds elements of type {data[2]:#04x}; only bytes are read")
    dimensions = data[3]
    start = 4 + 4 * dimensions
    if dimensions == 0 or len(data) < start:
        raise InputError(f"{path} ends within its header")
    shape = struct.unpack(f">{dimensions}I", data[4:start])
    expected = 1
    for side in shape:
        expected *= side
    if len(data) - start != expected:
        raise InputError(
            f"{path} should hold {expected} bytes of shape {shape}, but holds {len(data) - start}; "
            "copy it again from its source"
        )
    return torch.frombuffer(bytearray(data[start:]), dtype=torch.uint8).reshape(shape)
