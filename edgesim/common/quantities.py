"""Pydantic types for quantities, used wherever YAML comes in (scenario files and catalogs)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from edgesim.common import units


def _parser(dimension: str) -> BeforeValidator:
    def parse(value: Any) -> float:
        return units.parse(value, dimension)

    return BeforeValidator(parse)


def _schema(dimension: str, least: str = "minimum") -> WithJsonSchema:
    return WithJsonSchema(
        {
            "anyOf": [{"type": "number", least: 0}, {"type": "string"}],
            "description": f"number in SI units, or such as '{units.EXAMPLES[dimension]}'",
            "examples": [units.EXAMPLES[dimension]],
        }
    )


def _above_zero(dimension: str) -> WithJsonSchema:
    return _schema(dimension, "exclusiveMinimum")


_not_negative: Callable[[], Any] = lambda: Field(ge=0)  # noqa: E731
_positive: Callable[[], Any] = lambda: Field(gt=0)  # noqa: E731

Seconds = Annotated[float, _not_negative(), _parser("time"), _schema("time")]
PositiveSeconds = Annotated[float, _positive(), _parser("time"), _above_zero("time")]
Bytes = Annotated[float, _not_negative(), _parser("bytes"), _schema("bytes")]
PositiveBytes = Annotated[float, _positive(), _parser("bytes"), _above_zero("bytes")]
Bandwidth = Annotated[float, _positive(), _parser("bandwidth"), _above_zero("bandwidth")]
Watts = Annotated[float, _not_negative(), _parser("power"), _schema("power")]
Joules = Annotated[float, _not_negative(), _parser("energy"), _schema("energy")]
PositiveJoules = Annotated[float, _positive(), _parser("energy"), _above_zero("energy")]
JoulesPerByte = Annotated[
    float, _not_negative(), _parser("energy_per_byte"), _schema("energy_per_byte")
]
SecondsPerByte = Annotated[
    float, _not_negative(), _parser("time_per_byte"), _schema("time_per_byte")
]
Flop = Annotated[float, _not_negative(), _parser("flop"), _schema("flop")]
FlopRate = Annotated[float, _positive(), _parser("flop_rate"), _above_zero("flop_rate")]
Rate = Annotated[float, _positive(), _parser("rate"), _above_zero("rate")]
Metres = Annotated[float, _positive(), _parser("length"), _above_zero("length")]
Celsius = Annotated[
    float,
    Field(ge=-100.0, le=1000.0),
    _parser("celsius"),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number", "minimum": -100, "maximum": 1000}, {"type": "string"}],
            "description": f"number in °C, or such as '{units.EXAMPLES['celsius']}'",
            "examples": [units.EXAMPLES["celsius"]],
        }
    ),
]
"""Of a place or a die; not kelvin, of which no data sheet of a board speaks."""
KelvinPerWatt = Annotated[
    float, _positive(), _parser("thermal_resistance"), _above_zero("thermal_resistance")
]
Ratio = Annotated[float, _not_negative(), _parser("ratio"), _schema("ratio")]
Share = Annotated[
    Ratio,
    Field(gt=0.0, le=1.0),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                {"type": "string"},
            ],
            "description": "above 0 and at most 1, such as 0.5 or '50 %'",
            "examples": [units.EXAMPLES["ratio"]],
        }
    ),
]
Number = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
PositiveNumber = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
