"""Sections of YAML as dataclasses: keys, units, rules, documentation, and what Python may do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Self

import pytest
from pydantic import ValidationError, model_validator

from edgesim.common.quantities import Bandwidth, Seconds, Watts
from edgesim.common.validation import (
    NOT_WRITTEN,
    ReadAs,
    adapter,
    key,
    key_of,
    known_keys,
    problems,
    spec,
    validated,
)


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Pump:
    """A pump.

    It has a motor.

    Attributes:
        idle_w: draw while it rests, in watts,
            and while it starts.
        busy_w: draw while it pumps, in watts.
    """

    idle_w: Watts = 1.0
    busy_w: Watts = 2.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.busy_w < self.idle_w:
            raise ValueError("expected busy of at least idle")
        return self


@spec
@dataclass(frozen=True, kw_only=True)
class Base:
    """What things have in common."""

    name: Annotated[str, key(NOT_WRITTEN)] = ""
    pump: Pump = Pump(busy_w=3.0)

    @model_validator(mode="after")
    def _not_forever(self) -> Self:
        if self.pump.busy_w > 100.0:
            raise ValueError("too much")
        return self


@spec
@dataclass(frozen=True, kw_only=True)
class Fountain(Base):
    """A fountain."""

    delay_s: Seconds
    rate_byte_s: Annotated[Bandwidth, key("flow")]
    heights: Annotated[tuple[float, ...], ReadAs(dict[str, float])] = ()


WRITTEN = {"delay": "2 ms", "flow": "8 Mbit/s", "pump": {"idle": "500 mW"}}


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("delay_s", "delay"), ("per_byte_s", "per_byte"), ("bandwidth_byte_s", "bandwidth"),
        ("peak_flop_s", "peak"), ("energy_j_byte", "energy"), ("resistance_k_w", "resistance"),
        ("capacity_bytes", "capacity"), ("clock_hz", "clock"), ("lens_1", "lens_1"),
        ("dark_e_s", "dark"), ("rate_per_s", "rate"), ("frames", "frames"),
    ],
)  # fmt: skip
def test_a_key_is_the_name_without_the_unit(field: str, name: str) -> None:
    assert key_of(field) == name


def test_what_is_written_is_what_python_makes() -> None:
    found = validated(Fountain, {**WRITTEN, NOT_WRITTEN: "old"})
    assert found == Fountain(
        name="old", delay_s=2e-3, rate_byte_s=1e6, pump=Pump(idle_w=0.5, busy_w=2.0)
    )
    assert replace(found, name="new").name == "new"
    assert validated(Fountain, {**WRITTEN, "heights": {"a": 1}}).heights == {"a": 1.0}


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"delay_s": 1}, ("delay_s",), "unknown key 'delay_s' (did you mean 'delay'?)"),
        ({"name": "x"}, ("name",), "unknown key 'name'; known keys: pump, delay, flow, heights"),
        ({"pump": {"bussy": 1}}, ("pump", "bussy"), "unknown key 'bussy' (did you mean 'busy'?)"),
        ({"pump": 3}, ("pump",), "expected a mapping with keys such as idle, busy, got 3"),
        ({"delay": "-1 ms"}, ("delay",), "expected at least 0, got '-1 ms'"),
        ({"pump": {"idle": "3 W", "busy": "2 W"}}, ("pump",), "expected busy of at least idle"),
        ({"pump": {"busy": "1 kW"}}, (), "too much"),
    ],
)
def test_mistakes_are_told_by_key(
    changes: dict[str, object], path: tuple[str, ...], message: str
) -> None:
    data = {**WRITTEN, **changes}
    with pytest.raises(ValidationError) as caught:
        validated(Fountain, data)
    (found,) = problems(caught.value, Fountain, data)
    assert (found.path, found.message) == (path, message)


def test_a_section_lists_its_keys_and_those_within() -> None:
    assert known_keys(Fountain, ()) == ["pump", "delay", "flow", "heights"]
    assert known_keys(Fountain, ("pump",)) == ["idle", "busy"]
    assert known_keys(Fountain, ("delay",)) == []


def test_the_docstring_documents_the_json_schema() -> None:
    schema = adapter(Fountain).json_schema(by_alias=True)
    pump = schema["$defs"]["Pump"]
    assert pump["description"] == "A pump."
    assert pump["additionalProperties"] is False
    told = {name: one["description"] for name, one in pump["properties"].items()}
    assert told == {
        "idle": "draw while it rests, in watts, and while it starts",
        "busy": "draw while it pumps, in watts",
    }
    assert schema["properties"]["pump"]["default"] == {"idle": 1.0, "busy": 3.0}
    assert schema["required"] == ["delay", "flow"]
