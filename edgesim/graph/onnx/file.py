"""Reads an ONNX file without its weights: what a model is, and the shapes of its tensors."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError

SMALL = 4096
"""Bytes of a tensor that are read; larger ones are weights, of which the shape is enough."""

# The fields of the messages of onnx.proto that hold tensors, and the message that each is.
_INSIDE: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
    "tensor": {},
}
# The fields of a tensor that hold its elements.
_ELEMENTS = frozenset((4, 5, 7, 9, 10, 11))
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


def load(path: Path) -> Any:
    """Return the `onnx.ModelProto` of a file; its large tensors have a shape and no elements.

    Neither they nor external data are ever in memory, however large the file is.

    Raises:
        InputError: the file cannot be read, or is no ONNX model.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if path.suffix in (".pt", ".pth", ".bin", ".ckpt"):
        raise InputError(
            f"{path}: expected an ONNX model, got a file of pickled weights; export the module "
            "with torch.onnx.export, or use `model: {torch: ...}`"
        )
    try:
        with path.open("rb") as opened:
            if opened.seek(0, 2) == 0:
                raise InputError(f"{path}: expected an ONNX model, got an empty file")
            with (
                mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
                memoryview(mapped) as view,
            ):
                short = _without_elements(view, 0, len(view), "model")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (IndexError, ValueError):
        raise InputError(f"{path}: expected an ONNX model, got another file") from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(short)
    except DecodeError:
        raise InputError(f"{path}: expected an ONNX model, got another file") from None
    if not model.graph.node or not model.opset_import:
        raise InputError(f"{path}: expected an ONNX model, got none: it has no operators")
    return model


def _without_elements(view: memoryview, start: int, end: int, kind: str) -> bytes:
    """Return a message of onnx.proto without the elements of large tensors in it.

    Raises:
        IndexError: the message ends too early.
        ValueError: it is none.
    """
    parts: list[bytes] = []
    at = start
    while at < end:
        first = at
        key, at = _varint(view, at)
        field, wire = key >> 3, key & 7
        if wire == _BYTES:
            size, at = _varint(view, at)
            body, at = at, at + size
            if at > end:
                raise IndexError
            if kind == "tensor" and field in _ELEMENTS and size > SMALL:
                continue
            inside = _INSIDE[kind].get(field)
            if inside is not None:
                short = _without_elements(view, body, at, inside)
                parts += [_as_varint(key), _as_varint(len(short)), short]
                continue
        elif wire == _VARINT:
            _, at = _varint(view, at)
        elif wire in (_EIGHT, _FOUR):
            at += 8 if wire == _EIGHT else 4
        else:
            raise ValueError(wire)
        if at > end:
            raise IndexError
        parts.append(bytes(view[first:at]))
    return b"".join(parts)


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """Return the number that begins at a place, and the place behind it."""
    value = shift = 0
    while True:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _as_varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
