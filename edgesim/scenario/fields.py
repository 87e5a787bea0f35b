"""Field types that the sections of a scenario share."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)

from edgesim.common.validation import described

NAME_PATTERN = r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,98}[^\s\x00-\x1f\x7f])?$"
_NAME = re.compile(NAME_PATTERN.removesuffix("$"))
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+(%\w+)?\]|[\w.-]+):([0-9]{1,5})")


class Strict(BaseModel):
    """Unknown keys are errors; nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _whole(value: object) -> object:
    """Return 1e5 as the integer that it is; booleans and fractions stay what they are."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _name(value: str) -> str:
    if _NAME.fullmatch(value) is None:
        raise ValueError(
            f"expected a name of 1 to 100 characters on one line, no space at its ends, "
            f"got {described(value)}"
        )
    return value


def _address(value: str) -> str:
    match = _ADDRESS.fullmatch(value)
    if match is None or not 1 <= int(match[3]) <= 65535:
        raise ValueError(f"expected host:port such as 'pi-0.local:50051', got {described(value)}")
    return value


def _device(value: object) -> object:
    if isinstance(value, str) or (isinstance(value, dict) and value):
        return value
    raise ValueError(f"expected a device's name or an inline device, got {described(value)}")


WHOLE = BeforeValidator(_whole)
"""Goes last: pydantic tells a JSON Schema only of bounds that stand beside their type."""
Count = Annotated[StrictInt, Field(ge=1), WHOLE]
Text = Annotated[StrictStr, Field(min_length=1)]
Name = Annotated[
    StrictStr,
    AfterValidator(_name),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN}),
]
"""Of a node, task, link or baseline."""
FileName = Annotated[StrictStr, Field(min_length=1, max_length=100, pattern=r"^\w[\w .+-]*$")]
"""A name that becomes part of a file name."""
_ADDRESS_SCHEMA = {"type": "string", "pattern": ":[0-9]{1,5}$", "examples": ["pi-0.local:50051"]}
Addresses = Annotated[
    list[Annotated[StrictStr, AfterValidator(_address)]],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [_ADDRESS_SCHEMA, {"type": "array", "items": _ADDRESS_SCHEMA}]}),
]
DeviceField = Annotated[Any, BeforeValidator(_device), WithJsonSchema({"x-device": True})]
"""Resolved later, by the catalog; `json_schema` puts in what may stand there."""
