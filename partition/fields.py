"""Types of a recipe's values, and their rules. No torch is needed."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    StrictFloat,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)

from partition.config import LARGEST, ImageSize


def _whole(value: object) -> object:
    """Return 1e3 as the integer that it is; booleans and fractions stay what they are."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def image_size(value: object) -> ImageSize:
    """Return the size of an image that a document gives: a side, or height and width, in pixels.

    Raises:
        ValueError: it is neither.
    """
    sides = [_whole(one) for one in value] if isinstance(value, list | tuple) else [_whole(value)]
    if isinstance(value, list | tuple) and len(sides) != 2:
        raise ValueError(f"expected a side, or [height, width], got {len(sides)} numbers")
    for side in sides:
        if not isinstance(side, int) or isinstance(side, bool):
            raise ValueError(f"expected pixels: a side, or [height, width], got {str(value)[:60]}")
        if not 1 <= side <= LARGEST:
            raise ValueError(f"expected from 1 to {LARGEST:,} pixels, got {side}")
    numbers = [side for side in sides if isinstance(side, int)]
    return numbers[0] if len(set(numbers)) == 1 else (numbers[0], numbers[1])


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"expected a name on one line, got {text[:60]!r}")
    return text


Name = Annotated[StrictStr, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Count = Annotated[StrictInt, Field(ge=0), BeforeValidator(_whole)]
Size = Annotated[StrictInt, Field(ge=1), BeforeValidator(_whole)]
Bits = Annotated[StrictInt, Field(ge=1, le=16), BeforeValidator(_whole)]
_PIXELS = {"type": "integer", "minimum": 1}
Image = Annotated[
    ImageSize,
    PlainValidator(image_size),
    WithJsonSchema(
        {"anyOf": [_PIXELS, {"type": "array", "items": _PIXELS, "minItems": 2, "maxItems": 2}]}
    ),
]
Amount = Annotated[StrictFloat, Field(ge=0)]
Positive = Annotated[StrictFloat, Field(gt=0)]
Share = Annotated[StrictFloat, Field(ge=0, le=1)]
Fraction = Annotated[StrictFloat, Field(ge=0, lt=1)]
PositiveShare = Annotated[StrictFloat, Field(gt=0, le=1)]
