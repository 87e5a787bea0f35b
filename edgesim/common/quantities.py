"""Pydantic types for quantities, used wherever YAML comes in (scenario files and catalogs)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt
from pydantic import BeforeValidator, Field, WithJsonSchema

from edgesim.common import units


class Quantity(GroupedMetadata):
    """A number in SI units or a text with a unit, in range; more than 0 where it is positive."""

    def __init__(
        self,
        dimension: str,
        *,
        positive: bool = False,
        least: float = 0,
        most: float = math.inf,
        below: float = math.inf,
    ) -> None:
        self._dimension = dimension
        self.example = units.EXAMPLES[dimension]
        self._bounds = {"exclusiveMinimum" if positive else "minimum": least}
        self._limits: list[Any] = [Gt(least) if positive else Ge(least)]
        if most < math.inf:
            self._bounds["maximum"] = most
            self._limits.append(Le(most))
        if below < math.inf:
            self._bounds["exclusiveMaximum"] = below
            self._limits.append(Lt(below))

    def __iter__(self) -> Iterator[object]:
        numbers: list[Any] = [{"type": "number", **self._bounds}]
        unit = "°C" if self._dimension == "celsius" else "SI units"
        description = f"number in {unit}, or such as "
        if self._dimension == "bandwidth":
            numbers, description = [], "such as "
        yield from self._limits
        yield BeforeValidator(lambda value: units.parse(value, self._dimension))
        yield WithJsonSchema(
            {
                "anyOf": [*numbers, {"type": "string"}],
                "description": f"{description}'{self.example}'",
                "examples": [self.example],
            }
        )


Seconds = Annotated[float, Quantity("time")]
PositiveSeconds = Annotated[float, Quantity("time", positive=True)]
Bytes = Annotated[float, Quantity("bytes")]
PositiveBytes = Annotated[float, Quantity("bytes", positive=True)]
Bandwidth = Annotated[float, Quantity("bandwidth", positive=True)]
Watts = Annotated[float, Quantity("power")]
Joules = Annotated[float, Quantity("energy")]
PositiveJoules = Annotated[float, Quantity("energy", positive=True)]
JoulesPerByte = Annotated[float, Quantity("energy_per_byte")]
SecondsPerByte = Annotated[float, Quantity("time_per_byte")]
Flop = Annotated[float, Quantity("flop")]
FlopRate = Annotated[float, Quantity("flop_rate", positive=True)]
Rate = Annotated[float, Quantity("rate", positive=True)]
PixelRate = Annotated[float, Quantity("pixel_rate", positive=True)]
Metres = Annotated[float, Quantity("length", positive=True)]
SquareMetres = Annotated[float, Quantity("area")]
Celsius = Annotated[float, Quantity("celsius", least=-100, most=1000)]
"""Of a place or a die; not kelvin, of which no data sheet of a board speaks."""
KelvinPerWatt = Annotated[float, Quantity("thermal_resistance", positive=True)]
Ratio = Annotated[float, Quantity("ratio")]
Share = Annotated[float, Quantity("ratio", positive=True, most=1)]
Number = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
PositiveNumber = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
