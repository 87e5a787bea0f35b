"""What can go wrong with nodes and links: when, for how long, and what it does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import exp, inf, log
from typing import Annotated, Self

from pydantic import Field, model_validator

from edgesim.common.quantities import Celsius, KelvinPerWatt, PositiveSeconds, Ratio
from edgesim.common.validation import spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """One failure at a known time: down from ``at_s`` for ``duration_s`` seconds."""

    at_s: float
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Crash and repair of a node, or cut and repair of a link: random times, or a schedule.

    Times between a repair and the next failure, and times to repair, are Weibull distributed about
    their means: F(t) = 1 - exp(-(t / scale)^shape) with scale = mean / Γ(1 + 1/shape). Shape 1 is
    the exponential distribution; above 1 things wear out, below 1 they fail early (Weibull, J.
    Appl. Mech. 18, 1951). Availability is mtbf / (mtbf + mttr), whatever the shapes.

    Attributes:
        mtbf_s: mean time from a repair to the next failure; None where there are no random ones.
        mttr_s: mean time to repair.
        shape: of the time between failures.
        repair_shape: of the time to repair.
        schedule: failures at known times.
    """

    mtbf_s: float | None = None
    mttr_s: float | None = None
    shape: float = 1.0
    repair_shape: float = 1.0
    schedule: tuple[Outage, ...] = ()


class FaultKind(StrEnum):
    """What a scheduled fault does to its node or link."""

    CRASH = "crash"
    """The node stops; what it ran, held and was sent is lost, and whoever waits knows at once."""
    FREEZE = "freeze"
    """The node stands still, keeps what it has, and answers nobody until it goes on."""
    SLOW = "slow"
    """The node computes at a share of its speed."""
    CUT = "cut"
    """The link carries nothing; what is under way on it goes on later."""
    DEGRADE = "degrade"
    """The link has another bandwidth, more latency, or loses packets."""


OF_LINKS = (FaultKind.CUT, FaultKind.DEGRADE)
"""Kinds of faults that links have; nodes have the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of the cluster's schedule.

    Attributes:
        at_s: when it begins.
        duration_s: after which it is over.
        kind: what it does.
        target: name of the node, or of the link.
        speed: of a slow node, as a share of its own.
        bandwidth_byte_s: of a degraded link; None for its own.
        latency_s: of a degraded link, on top of its own.
        loss: share of packets that a degraded link loses, on top of its own.
    """

    at_s: float
    duration_s: float
    kind: FaultKind
    target: str
    speed: float = 1.0
    bandwidth_byte_s: float | None = None
    latency_s: float = 0.0
    loss: float = 0.0

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.at_s + self.duration_s


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Thermal:
    """How a device warms up, and what it does when it is too hot.

    The die is one thermal mass: with power P and surroundings at T_a its temperature T follows

        time_constant dT/dt = T_a + resistance x P - T

    which is exact between changes of P (Incropera, Fundamentals of Heat and Mass Transfer, 5.1). At
    ``limit_c`` the device falls to ``speed``, and to the same share of its power above idle; below
    ``release_c`` it is at full speed again.

    Attributes:
        resistance_k_w: from the die to the surroundings.
        time_constant_s: resistance times heat capacity.
        limit_c: at which it throttles.
        release_c: at which it stops throttling.
        speed: while it throttles, as a share of its own.
    """

    resistance_k_w: KelvinPerWatt
    time_constant_s: PositiveSeconds
    limit_c: Celsius
    release_c: Celsius
    speed: Annotated[Ratio, Field(gt=0.0, lt=1.0)]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """What a node lives on; empty, it is down until it has been charged to ``restart``.

    Attributes:
        capacity_j: when full.
        charge: at the start, as a share of the capacity.
        recharge_w: power that comes in all the time, such as a panel's.
        restart: charge at which a node that was empty comes back, as a share of the capacity.
    """

    capacity_j: float
    charge: float = 1.0
    recharge_w: float = 0.0
    restart: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustion:
    """Memory that fills up: inputs that wait, and what every request leaves behind.

    A node whose plan, waiting inputs and leaks together exceed its memory is killed, as by the
    out-of-memory killer, and starts again empty.

    Attributes:
        leak_bytes: that a node does not give back after each piece of work.
    """

    leak_bytes: float = 0.0
