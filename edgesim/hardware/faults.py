"""Faults of nodes and links: crashes, cuts, heat, batteries, memory."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import exp, inf, log
from typing import Annotated, Self

from pydantic import Field, model_validator

from edgesim.common.fields import UNSET, Name, choices
from edgesim.common.quantities import (
    Bandwidth,
    Bytes,
    Celsius,
    KelvinPerWatt,
    PositiveJoules,
    PositiveSeconds,
    Quantity,
    Seconds,
    Share,
    Watts,
)
from edgesim.common.validation import spec

Loss = Annotated[float, Quantity("ratio", below=1)]
Shape = Annotated[float, Quantity("ratio", least=0.1, most=10)]
Speed = Annotated[float, Quantity("ratio", positive=True, below=1)]


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A failure at a known time.

    Attributes:
        at_s: time of the failure from the start of the run, in seconds.
        duration_s: time until the repair, in seconds.
    """

    at_s: Seconds
    duration_s: PositiveSeconds


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Crash and repair of a node, or cut and repair of a link: random, or at known times.

    Times between a repair and the next failure, and times to repair, are Weibull distributed about
    their means: F(t) = 1 - exp(-(t / scale)^shape) with scale = mean / Γ(1 + 1/shape). Shape 1 is
    the exponential distribution; above 1 things wear out, below 1 they fail early (Weibull, J.
    Appl. Mech. 18, 1951). Availability is mtbf / (mtbf + mttr), whatever the shapes.

    Attributes:
        mtbf_s: mean time between failures, in seconds.
        mttr_s: mean time to repair, in seconds.
        shape: Weibull shape of the time between failures; 1 is exponential.
        repair_shape: Weibull shape of the time to repair; 1 is exponential.
        schedule: failures at known times.
    """

    mtbf_s: PositiveSeconds | None = None
    mttr_s: PositiveSeconds | None = None
    shape: Annotated[Shape, UNSET] = 1.0
    repair_shape: Annotated[Shape, UNSET] = 1.0
    schedule: Annotated[tuple[Outage, ...], Field(min_length=1), UNSET] = ()


class FaultKind(StrEnum):
    """Effect of a scheduled fault on its node or link."""

    CRASH = "crash"
    """The node stops and loses what it ran and held; whatever waits for it knows at once."""
    FREEZE = "freeze"
    """The node stops, keeps what it has, and answers nothing until it continues."""
    SLOW = "slow"
    """The node computes at a share of its speed."""
    CUT = "cut"
    """The link carries nothing; flows on it continue later."""
    DEGRADE = "degrade"
    """The link has another bandwidth, more latency, or loses packets."""


OF_LINKS = (FaultKind.CUT, FaultKind.DEGRADE)
"""Kinds of faults that links have; nodes have the others."""


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of a node or a link at a known time.

    Attributes:
        at_s: time of the fault from the start of the run, in seconds.
        duration_s: time until the fault is over, in seconds.
        node: name of the node that has the fault.
        link: name of the link that has the fault.
        kind: effect of the fault.
        speed: slow: speed as a share of the node's own.
        bandwidth_byte_s: degrade: bandwidth in place of the link's own, in bytes per second.
        latency_s: degrade: delay on top of the link's own, in seconds.
        loss: degrade: share of packets lost, on top of the link's own.
    """

    at_s: Seconds
    duration_s: PositiveSeconds
    node: Name | None = None
    link: Name | None = None
    kind: Annotated[FaultKind, choices(FaultKind)]
    speed: Annotated[Speed, UNSET] = 1.0
    bandwidth_byte_s: Bandwidth | None = None
    latency_s: Annotated[Seconds, UNSET] = 0.0
    loss: Annotated[Loss, UNSET] = 0.0

    @property
    def target(self) -> str:
        """Name of the node or link that has it."""
        return self.node or self.link or ""

    @property
    def end_s(self) -> float:
        """Time of its end, in seconds."""
        return self.at_s + self.duration_s


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Thermal:
    """Temperature of a device, and throttling when it is too hot.

    The die is one thermal mass: with power P and surroundings at T_a its temperature T follows

        time_constant dT/dt = T_a + resistance x P - T

    which is exact between changes of P (Incropera, Fundamentals of Heat and Mass Transfer, 5.1). At
    ``limit_c`` the device falls to ``speed``, and to the same share of its power above idle; below
    ``release_c`` it is at full speed again.

    Attributes:
        resistance_k_w: thermal resistance from the die to the surroundings, in kelvin per watt.
        time_constant_s: thermal resistance times heat capacity, in seconds.
        limit_c: temperature at which the device throttles, in °C.
        release_c: temperature at which the device stops throttling, in °C.
        speed: speed while it throttles, as a share of its own.
    """

    resistance_k_w: KelvinPerWatt
    time_constant_s: PositiveSeconds
    limit_c: Celsius
    release_c: Celsius
    speed: Speed

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.release_c >= self.limit_c:
            raise ValueError(
                f"expected release of less than limit ({self.limit_c:g} °C), "
                f"got {self.release_c:g} °C"
            )
        return self

    def after(self, from_c: float, ambient_c: float, watts: float, time_s: float) -> float:
        """Return the temperature after ``time_s`` at constant power, in °C."""
        steady_c = ambient_c + self.resistance_k_w * watts
        return steady_c + (from_c - steady_c) * exp(-time_s / self.time_constant_s)

    def reaches_s(self, from_c: float, ambient_c: float, watts: float, to_c: float) -> float:
        """Return after how long at constant power it has ``to_c``; infinity where it never has."""
        steady_c = ambient_c + self.resistance_k_w * watts
        above, below = from_c - steady_c, to_c - steady_c
        if below == 0.0 or above / below < 1.0:
            return inf if from_c != to_c else 0.0
        return self.time_constant_s * log(above / below)


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """Battery of a node; once empty, the node is down until it has been charged to ``restart``.

    Attributes:
        capacity_j: energy of the full battery, in joules.
        charge: charge at the start, as a share of the capacity.
        recharge_w: power that charges the battery all the time, in watts.
        restart: charge at which a node that was empty comes back, as a share of the capacity.
    """

    capacity_j: PositiveJoules
    charge: Annotated[float, Quantity("ratio", most=1)] = 1.0
    recharge_w: Watts = 0.0
    restart: Share = 0.1


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustion:
    """Memory that fills up with inputs that wait and with leaks, until the node is killed.

    A node whose plan, waiting inputs and leaks together exceed its memory is killed, as by the
    out-of-memory killer, and starts again empty.

    Attributes:
        leak_bytes: memory that is not freed after each execution, in bytes.
    """

    leak_bytes: Bytes = 0.0
