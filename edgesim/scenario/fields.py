"""Field types that the sections of a scenario share."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StrictStr,
    WithJsonSchema,
)

from edgesim.common.validation import described

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+(%\w+)?\]|[\w.-]+):([0-9]{1,5})")


class Strict(BaseModel):
    """Unknown keys are errors; nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _address(value: str) -> str:
    match = _ADDRESS.fullmatch(value)
    if match is None or not 1 <= int(match[3]) <= 65535:
        raise ValueError(f"expected host:port such as 'pi-0.local:50051', got {described(value)}")
    return value


def _device(value: object) -> object:
    if isinstance(value, str) or (isinstance(value, dict) and value):
        return value
    raise ValueError(f"expected a device's name or an inline device, got {described(value)}")


_ADDRESS_SCHEMA = {"type": "string", "pattern": ":[0-9]{1,5}$", "examples": ["pi-0.local:50051"]}
Addresses = Annotated[
    list[Annotated[StrictStr, AfterValidator(_address)]],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [_ADDRESS_SCHEMA, {"type": "array", "items": _ADDRESS_SCHEMA}]}),
]
DeviceField = Annotated[Any, BeforeValidator(_device), WithJsonSchema({"x-device": True})]
"""Resolved later, by the catalog; `json_schema` puts in what may stand there."""
