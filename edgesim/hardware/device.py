"""What every device kind answers, whatever it computes with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import expm1
from typing import Protocol, Self, runtime_checkable

from pydantic import model_validator

from edgesim.common.quantities import PositiveSeconds, Ratio, Seconds, SecondsPerByte, Watts
from edgesim.common.validation import spec
from edgesim.graph import Graph


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Draw of a device in each state, in watts, idle included.

    Fewer cores than all, and a device that waits in between, draw their share of
    ``busy_w - idle_w``. There are no states between idle and off.

    Attributes:
        idle_w: while nothing is done.
        busy_w: all cores busy and working at full rate.
        sending_w: of an otherwise idle device while a flow leaves it; what exceeds idle adds to
            whatever else the device does. Nothing is added unless given.
        receiving_w: likewise, while a flow enters it.
    """

    idle_w: Watts = 0.0
    busy_w: Watts = 0.0
    sending_w: Watts | None = None
    receiving_w: Watts | None = None

    @property
    def idle_by_part_w(self) -> Mapping[str, float]:
        """``idle_w`` divided among parts, where the device tells parts apart."""
        return {}

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for state in ("busy", "sending", "receiving"):
            watts = getattr(self, f"{state}_w")
            if watts is not None and watts < self.idle_w:
                raise ValueError(
                    f"expected {state} of at least idle ({self.idle_w} W), got {watts} W"
                )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOfParts(Power):
    """Power of a device that tells its parts apart: ``parts_w`` sum to ``idle_w``."""

    parts_w: Mapping[str, float] = field(default_factory=dict)

    @property
    def idle_by_part_w(self) -> Mapping[str, float]:
        """``idle_w`` divided among parts."""
        return self.parts_w


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    """How much longer an execution takes after a rest: 1 + share x (1 - exp(-rest / time)).

    Code and data leave the caches, clocks fall, cores halt: of all that, what a profile sees from
    outside.

    Attributes:
        share: of the time of an execution without a rest, added after a long one.
        time_s: of the rest, after which 63 % of it is added.
    """

    share: Ratio = 0.0
    time_s: PositiveSeconds = 1.0

    def factor(self, rest_s: float) -> float:
        """Return time after a rest over time without one."""
        return 1.0 - self.share * expm1(-rest_s / self.time_s)


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Processor time of a coordinator, for a request and for each message of it.

    Attributes:
        per_request_s: of a request.
        per_message_s: of each of its messages.
        per_byte_s: of each byte of a message.
    """

    per_request_s: Seconds = 0.0
    per_message_s: Seconds = 0.0
    per_byte_s: SecondsPerByte = 0.0


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Messaging:
    """Software cost of a message at each of its two ends; `edgesim profile` measures it.

    A simulation of the plan alone takes them as a delay; one of the plan as real nodes play it
    takes them as processor time (`edgesim.serve.as_served`).

    Attributes:
        per_message_s: processor time of a node, for a message that comes or goes.
        per_byte_s: processor time for each byte of the message.
        delay_s: between the arrival of a message and its handling, on no processor.
        asking: processor time of a coordinator on this device.
        cooling: of the processor time of messages, where the processor was not used for a while.
    """

    per_message_s: Seconds = 0.0
    per_byte_s: SecondsPerByte = 0.0
    delay_s: Seconds = 0.0
    asking: Asking = Asking()
    cooling: Cooling = Cooling()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Time and mean power of one execution.

    Attributes:
        time_s: from start to end on the whole device.
        power_w: mean draw of the device meanwhile, idle included.
        by_part_j: joules by part, where the device tells parts apart (laser, modulator, camera).
    """

    time_s: float
    power_w: float
    by_part_j: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Device(Protocol):
    """A device of any kind; third parties add kinds through the entry point ``edgesim.devices``.

    A kind may also have a property ``pace``, a few words that ``edgesim devices`` shows where
    processors have their peak: ``710×710 at 20 kHz``.
    """

    @property
    def name(self) -> str:
        """Catalog name, or the node's name for an inline device."""

    @property
    def kind(self) -> str:
        """The entry-point name of the device class (``processor``)."""

    @property
    def cores(self) -> int:
        """Cores that tasks may share."""

    @property
    def memory_capacity_bytes(self) -> float:
        """Bytes for weights and activations; infinity where nothing is said."""

    @property
    def power(self) -> Power:
        """Power states."""

    @property
    def messaging(self) -> Messaging:
        """Software cost of a message."""

    @property
    def source(self) -> Mapping[str, str]:
        """Where each figure comes from, by field name."""

    def precisions(self) -> tuple[str, ...]:
        """Return the precisions that the device computes in."""

    def graph_cost(self, graph: Graph, precision: str, batch: int = 1) -> Cost:
        """Return the cost of running ``graph`` on ``batch`` samples at once.

        Raises:
            InputError: the device does not compute in ``precision``.
        """

    def flop_cost(self, flop: float, precision: str, cores: int | None = None) -> Cost:
        """Return the cost of ``flop`` operations of unknown kind: ``flop / peak``.

        ``cores`` tells how many of the device's cores work on it (all by default); the power is
        the device's own draw with just those cores busy.
        """
