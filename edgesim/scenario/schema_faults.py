"""Faults and recovery in a scenario: what may stand where."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt, WithJsonSchema

from edgesim.common import units
from edgesim.common.quantities import (
    Bandwidth,
    Bytes,
    PositiveJoules,
    PositiveSeconds,
    Ratio,
    Seconds,
    Watts,
)
from edgesim.scenario.fields import WHOLE, Name, Strict, Text


def _told(**bounds: float) -> WithJsonSchema:
    number = {"type": "number", **bounds}
    return WithJsonSchema(
        {"anyOf": [number, {"type": "string"}], "examples": [units.EXAMPLES["ratio"]]}
    )


Loss = Annotated[Ratio, Field(ge=0.0, lt=1.0), _told(minimum=0, exclusiveMaximum=1)]
Shape = Annotated[Ratio, Field(ge=0.1, le=10.0), _told(minimum=0.1, maximum=10)]
Speed = Annotated[Ratio, Field(gt=0.0, lt=1.0), _told(exclusiveMinimum=0, exclusiveMaximum=1)]
Charge = Annotated[Ratio, Field(ge=0.0, le=1.0), _told(minimum=0, maximum=1)]
Restart = Annotated[Ratio, Field(gt=0.0, le=1.0), _told(exclusiveMinimum=0, maximum=1)]


class OutageSpec(Strict):
    """A failure at a known time."""

    at: Seconds = Field(description="from the start of the run")
    duration: PositiveSeconds


class FaultsSpec(Strict):
    """Crash and repair of a node, or cut and repair of a link: random, or at known times."""

    mtbf: PositiveSeconds | None = Field(None, description="mean time between failures")
    mttr: PositiveSeconds | None = Field(None, description="mean time to repair")
    shape: Shape | None = Field(
        default=None, description="Weibull's, of the time between failures; 1 is exponential"
    )
    repair_shape: Shape | None = Field(
        default=None, description="Weibull's, of the time to repair; 1 is exponential"
    )
    schedule: Annotated[list[OutageSpec], Field(min_length=1)] | None = Field(
        default=None, description="failures at known times"
    )


class FaultSpec(Strict):
    """One fault of a node or a link at a known time."""

    at: Seconds = Field(description="from the start of the run")
    duration: PositiveSeconds
    node: Name | None = Field(None, description="that has it")
    link: Name | None = Field(None, description="that has it")
    kind: Literal["crash", "freeze", "slow", "cut", "degrade"]
    speed: Speed | None = Field(None, description="slow: share of the node's own speed")
    bandwidth: Bandwidth | None = Field(None, description="degrade: instead of the link's own")
    latency: Seconds | None = Field(None, description="degrade: on top of the link's own")
    loss: Loss | None = Field(None, description="degrade: share of packets, on top of its own")


class ScheduleSpec(Strict):
    """Faults at known times, of nodes and links."""

    schedule: Annotated[list[FaultSpec], Field(min_length=1)] | None = None
    file: Text | None = Field(
        default=None,
        description="a CSV file of faults, with the keys of `schedule` as its columns; relative "
        "to this file",
    )


class BatterySpec(Strict):
    """What a node lives on."""

    capacity: PositiveJoules
    charge: Charge = Field(default=1.0, description="at the start, of the capacity")
    recharge: Watts = Field(default=0.0, description="that come in all the time")
    restart: Restart = Field(
        default=0.1, description="charge at which a node that was empty comes back"
    )


class ExhaustionSpec(Strict):
    """Memory that fills up with inputs that wait and with leaks, until the node is killed."""

    leak: Bytes = Field(default=0.0, description="not given back after each piece of work")


class RetrySpec(Strict):
    """Further tries of a part that failed."""

    attempts: Annotated[StrictInt, Field(ge=1, le=100), WHOLE] = Field(
        default=3, description="of one part, the first included"
    )
    timeout: PositiveSeconds | None = Field(None, description="of one try")
    backoff: Seconds = Field(
        default=0.02, description="before the second try; doubled before each further one"
    )
    longest: Seconds = Field(default=0.5, description="between two tries")


class HedgeSpec(Strict):
    """A second node is asked, too."""

    after: PositiveSeconds = Field(description="that a part has not answered")


class ReassignSpec(Strict):
    """A part whose node is down moves to another."""

    after: Seconds = Field(description="that its node has been down")
    source: Name | None = Field(
        default=None, description="node that keeps all weights; where requests enter unless given"
    )
    load: Bandwidth = Field(default=50e6, description="at which a node loads weights")


class HealthSpec(Strict):
    """Checks of nodes; one that fails them is asked no more until it passes one."""

    interval: PositiveSeconds = Field(default=1.0, description="between checks; as long for one")
    strikes: Annotated[StrictInt, Field(ge=1, le=1000), WHOLE] = Field(
        default=2, description="failures in a row that take a node out"
    )


class RecoverySpec(Strict):
    """What is done about parts that do not answer; without it, what is lost is lost."""

    deadline: PositiveSeconds | None = Field(
        default=None, description="of one part, all tries together"
    )
    retry: RetrySpec | None = None
    hedge: HedgeSpec | None = None
    standby: list[Name] = Field(
        default_factory=list,
        description="nodes with a copy of every part, asked when a part's own is down",
    )
    reassign: ReassignSpec | None = None
    degrade: bool = Field(
        default=True, description="answer without parts that can be left out, once they are lost"
    )
    health: HealthSpec | None = Field(
        default=None, description="without, a crash is known at once, and nothing else is"
    )
