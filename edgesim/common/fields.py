"""Field types that sections of YAML share."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)
from pydantic_core import PydanticUseDefault

from edgesim.common.text import described
from edgesim.common.validation import NOT_WRITTEN


def choices(kind: type[StrEnum]) -> WithJsonSchema:
    """Return the JSON Schema of an enumeration, where it stands."""
    return WithJsonSchema({"type": "string", "enum": [one.value for one in kind]})


def short(key: str) -> BeforeValidator:
    """Let a text stand for a section of which it is the value under ``key``."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


def _unset(value: object) -> object:
    if value is None:
        raise PydanticUseDefault
    return value


UNSET = BeforeValidator(_unset)
"""Null stands for the default, as where ``--set key=`` unsets a key."""


def _whole(value: object) -> object:
    """Return 1e5 as the integer that it is; booleans and fractions stay what they are."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""Goes last: pydantic tells a JSON Schema only of bounds that stand beside their type."""

Count = Annotated[StrictInt, Field(ge=1), WHOLE]
Text = Annotated[StrictStr, Field(min_length=1)]
_FILE_NAME = re.compile(r"\w[\w .+-]{0,99}")


def _file_name(value: str) -> str:
    if _FILE_NAME.fullmatch(value) is None:
        raise ValueError(
            "expected 1 to 100 letters, digits, spaces or '_', '-', '.', '+', a letter or digit "
            f"first, got {described(value)}"
        )
    return value


FileName = Annotated[
    StrictStr,
    AfterValidator(_file_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_FILE_NAME.pattern}$"}),
]
"""A name that becomes part of a file name."""

NAME_PATTERN = r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,98}[^\s\x00-\x1f\x7f])?$"
_NAME = re.compile(NAME_PATTERN.removesuffix("$"))


def _name(value: str) -> str:
    if _NAME.fullmatch(value) is None:
        raise ValueError(
            f"expected a name of 1 to 100 characters on one line, no space at its ends, "
            f"got {described(value)}"
        )
    return value


Name = Annotated[
    StrictStr,
    AfterValidator(_name),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN}),
]
"""Of a node, task, link or baseline."""


def _named(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {
        name: {**one, NOT_WRITTEN: name} if isinstance(one, dict) else one
        for name, one in value.items()
    }


NAMED = BeforeValidator(_named)
"""Entries of a mapping get their names of it: a field with ``key(NOT_WRITTEN)``."""
