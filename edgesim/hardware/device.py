"""What every device kind answers, whatever it computes with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import expm1
from typing import Protocol, runtime_checkable

from edgesim.graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Power states of a device, each the total draw in that state, in watts.

    ``busy_w`` is with all cores busy and working at full rate; fewer cores, and a device that waits
    in between, draw their share of ``busy_w - idle_w``.
    ``sending_w`` and ``receiving_w`` are the draw of an otherwise idle device while a flow leaves
    or enters it; what exceeds idle adds to whatever else the device does. None adds nothing: no
    figure of it is known for any device of the catalog. Nor are there states between idle and off.
    ``idle_by_part_w`` divides ``idle_w`` among parts, where the device tells parts apart.
    """

    idle_w: float = 0.0
    busy_w: float = 0.0
    sending_w: float | None = None
    receiving_w: float | None = None
    idle_by_part_w: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    """How much longer an execution takes after a rest of its processor, ``rest_s``:

        1 + share x (1 - exp(-rest_s / time_s))

    Code and data leave the caches, clocks fall, cores halt: of all that, what a profile sees from
    outside.
    """

    share: float = 0.0
    time_s: float = 1.0

    def factor(self, rest_s: float) -> float:
        """Return time after a rest over time without one."""
        return 1.0 - self.share * expm1(-rest_s / self.time_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Processor time of a coordinator, for one request and for each message of it."""

    per_request_s: float = 0.0
    per_message_s: float = 0.0
    per_byte_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Messaging:
    """Software cost of one message at each of its two ends: seconds, and seconds per byte.

    A simulation of the plan alone takes them as a delay; one of the plan as real nodes play it
    takes them as processor time (`edgesim.serve.as_served`).

    Attributes:
        per_message_s: of a node, for a message that comes or goes.
        per_byte_s: and for each of its bytes.
        delay_s: between the arrival of a message and its handling, on no processor.
        asking: of a coordinator on this device.
        cooling: of the processor time, where it was not used for a while.
    """

    per_message_s: float = 0.0
    per_byte_s: float = 0.0
    delay_s: float = 0.0
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
