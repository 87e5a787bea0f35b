"""The example that a model is traced with, from the shapes of one sample.

A shape is a list of sizes without the batch. ``{shape, dtype}`` is a tensor of another type than
``float32``, ``{value: …}`` an argument that is no tensor. A list of these is several arguments (or,
inside, a tuple), a mapping of these arguments by name (or, inside, a dictionary).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from edgesim.common.errors import InputError, nearest
from edgesim.common.text import described

DTYPES = (
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
    "complex64",
)  # fmt: skip
LARGEST = 1 << 40
"""Elements of one input."""
DEEPEST = 8
_EXAMPLES = "such as [3, 224, 224], or {ids: {shape: [128], dtype: int64}}"


def check(value: Any, path: tuple[str, ...] = ()) -> None:
    """Check what stands under ``input``.

    Raises:
        ValueError: it is none of the forms above; the message says where.
    """
    at = f"'{'.'.join(path)}': " if path else ""
    if len(path) > DEEPEST:
        raise ValueError(f"{at}nested too deeply")
    if _is_shape(value):
        if any(size < 1 for size in value) or prod(value) > LARGEST:
            raise ValueError(f"{at}expected sizes of at least 1, {LARGEST:.0e} elements at most")
    elif isinstance(value, list) and value:
        if any(isinstance(one, bool | int | float | str) or one is None for one in value):
            raise ValueError(f"{at}expected whole numbers, {_EXAMPLES}, got {described(value)}")
        for index, one in enumerate(value):
            check(one, (*path, str(index)))
    elif isinstance(value, dict) and "shape" in value:
        _check_tensor(value, at)
    elif isinstance(value, dict) and value.keys() == {"value"}:
        return
    elif isinstance(value, dict) and value:
        for name, one in value.items():
            check(one, (*path, name))
    else:
        raise ValueError(
            f"{at}expected the shape of one sample, {_EXAMPLES}, got {described(value)}"
        )


def _check_tensor(value: dict[str, Any], at: str) -> None:
    others = [key for key in value if key not in ("shape", "dtype")]
    if others:
        raise ValueError(f"{at}unknown key '{others[0]}'; a tensor has 'shape' and 'dtype'")
    if not _is_shape(value["shape"]):
        raise ValueError(f"{at}expected a 'shape' such as [128], got {described(value['shape'])}")
    check(value["shape"])
    dtype = value.get("dtype", DTYPES[0])
    if dtype not in DTYPES:
        near = nearest(str(dtype), list(DTYPES))
        raise ValueError(
            f"{at}expected a 'dtype' of {', '.join(DTYPES)}, got {described(dtype)}{near}"
        )


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(size, int) and not isinstance(size, bool) for size in value
    )


def _is_tensor(value: Any) -> bool:
    return _is_shape(value) or (isinstance(value, dict) and "shape" in value)


def shapes(value: Any) -> Iterator[list[int]]:
    """Iterate over the shapes of all tensors, in order, without the batch."""
    if _is_tensor(value):
        yield value["shape"] if isinstance(value, dict) else value
    elif isinstance(value, dict) and value.keys() != {"value"}:
        for one in value.values():
            yield from shapes(one)
    elif isinstance(value, list):
        for one in value:
            yield from shapes(one)


def by_name(value: Any) -> Any:
    """Return a checked ``input`` without types: a shape, or shapes by name.

    Raises:
        InputError: it nests, or gives inputs no names.
    """
    if value is None or _is_shape(value):
        return value
    if isinstance(value, dict) and "shape" in value:
        return value["shape"]
    if isinstance(value, dict) and all(map(_is_tensor, value.values())):
        return {name: next(shapes(one)) for name, one in value.items()}
    raise InputError("expected one shape, or shapes by the names of the inputs")


def text(value: Any) -> str:
    """Return the inputs as people read them: ``3×224×224``, ``ids 128 int64, mask 128``."""
    if _is_shape(value):
        return "×".join(map(str, value)) or "a number"
    if isinstance(value, dict) and "shape" in value:
        return f"{text(value['shape'])} {value.get('dtype', DTYPES[0])}"
    if isinstance(value, dict) and value.keys() == {"value"}:
        return repr(value["value"])
    if isinstance(value, dict):
        return ", ".join(f"{name} {text(one)}" for name, one in value.items())
    return f"({', '.join(map(text, value))})"


def example(value: Any) -> Any:
    """Return the example of a checked ``input``: a tensor, a tuple, or a dictionary; batch 1.

    Tensors have no data: the caller chooses a device with ``torch.device``.
    """
    if _is_tensor(value):
        return (_tensor(value),)
    if isinstance(value, list):
        return tuple(map(_nested, value))
    return {name: _nested(one) for name, one in value.items()}


def _nested(value: Any) -> Any:
    if _is_tensor(value):
        return _tensor(value)
    if isinstance(value, list):
        return tuple(map(_nested, value))
    if value.keys() == {"value"}:
        return value["value"]
    return {name: _nested(one) for name, one in value.items()}


def _tensor(value: Any) -> Any:
    import torch

    shape, dtype = (value, DTYPES[0]) if isinstance(value, list) else (
        value["shape"], value.get("dtype", DTYPES[0])
    )  # fmt: skip
    return torch.zeros((1, *shape), dtype=getattr(torch, dtype))
