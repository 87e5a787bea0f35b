"""Build a tree of dataclasses from plain mappings, with errors that name the key."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any

from partition.errors import InputError, nearest


def build(kind: type, values: object, where: str) -> Any:
    """Return a ``kind`` (a dataclass) of ``values``, its fields converted to their types.

    Whole numbers are taken where fractions are wanted, lists where tuples are.

    Raises:
        InputError: a key is unknown (the nearest known one is named) or missing, or a value is of
            the wrong type; the message begins with the dotted path of the key.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: expected a mapping, not {values!r}")
    hints = typing.get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}
    for key in values:
        if key not in known:
            hint = nearest(str(key), list(known))
            raise InputError(f"{where}.{key}: unknown key{hint}; known: {', '.join(known)}")
    ready = {}
    for name, field in known.items():
        if name in values:
            ready[name] = _convert(hints[name], values[name], f"{where}.{name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{where}.{name}: this key is needed")
    try:
        return kind(**ready)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _convert(hint: Any, value: object, where: str) -> Any:
    """Return ``value`` as the annotated type."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        last: InputError | None = None
        for option in (option for option in arguments if option is not type(None)):
            try:
                return _convert(option, value, where)
            except InputError as error:
                last = error
        raise last if last is not None else InputError(f"{where}: expected nothing, not {value!r}")
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{where}: expected a list, not {value!r}")
        return tuple(_convert(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise InputError(f"{where}: expected {_name(hint)}, not {value!r}")
    return value


def _name(hint: type) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return names.get(hint, hint.__name__)


def plain(value: Any) -> dict[str, Any]:
    """Return a dataclass tree as JSON-able mappings and lists."""
    return {key: _listed(item) for key, item in asdict(value).items()}


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    return value
