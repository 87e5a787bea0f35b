"""The interface of all device kinds: cost, power, memory, software cost of messages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from math import expm1, fsum, inf
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, Self
from weakref import WeakKeyDictionary

from pydantic import model_validator
from pydantic.json_schema import SkipJsonSchema

from edgesim.common.errors import InputError
from edgesim.common.fields import Count
from edgesim.common.quantities import (
    PositiveJoules,
    PositiveNumber,
    PositiveSeconds,
    Ratio,
    Seconds,
    SecondsPerByte,
    Watts,
)
from edgesim.common.validation import NOT_WRITTEN, key, spec
from edgesim.graph import BYTES_PER_ELEMENT, Graph, Op
from edgesim.hardware.decoding import Decode
from edgesim.hardware.explanation import Explanation, Row
from edgesim.hardware.faults import Thermal

ZERO_BLOCKS = "blocks of zero weights"
SHIFT_ADD = "shift-add arithmetic"
"""Compression that a device may be unable to use, in words."""

Precision = Literal["fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "int8", "int4"]
assert set(Precision.__args__) == set(BYTES_PER_ELEMENT)  # type: ignore[attr-defined]


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Draw of a device in each state, in watts, idle included.

    Fewer cores than all, and a device that waits in between, draw their share of
    ``busy_w - idle_w``. There are no states between idle and off.

    Attributes:
        idle_w: draw while nothing is done, in watts.
        busy_w: draw with all cores busy and working at full rate, in watts.
        sending_w: draw of an otherwise idle device while a flow leaves it, in watts; what exceeds
            idle adds to whatever else the device does. Nothing is added unless given.
        receiving_w: draw of an otherwise idle device while a flow enters it, in watts; added
            likewise.
    """

    idle_w: Watts = 0.0
    busy_w: Watts = 0.0
    sending_w: Watts | None = None
    receiving_w: Watts | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for state in ("busy", "sending", "receiving"):
            watts = getattr(self, f"{state}_w")
            if watts is not None and watts < self.idle_w:
                raise ValueError(
                    f"expected {state} of at least idle ({self.idle_w} W), got {watts} W"
                )
        return self


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    """How much longer an execution takes after a rest: 1 + share x (1 - exp(-rest / time)).

    Code and data leave the caches, clocks fall, cores halt: of all that, what a profile sees from
    outside.

    Attributes:
        share: added time after a long rest, as a share of the time without a rest.
        time_s: rest after which 63 % of that is added, in seconds.
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
        per_request_s: processor time of a request, in seconds.
        per_message_s: processor time of each of its messages, in seconds.
        per_byte_s: processor time of each byte of a message, in seconds.
    """

    per_request_s: Seconds = 0.0
    per_message_s: Seconds = 0.0
    per_byte_s: SecondsPerByte = 0.0


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Messaging:
    """Software cost of a message at each of its two ends; `edgesim profile` measures it.

    A simulation of the plan alone takes them as a delay; one of real nodes that serve it
    takes them as processor time (`edgesim.serve.as_served`).

    Attributes:
        per_message_s: processor time of a node for a message that comes or goes, in seconds.
        per_byte_s: processor time of a node for each byte of it, in seconds.
        delay_s: time between the arrival of a message and its handling, on no processor, in
            seconds.
        asking: processor time of a coordinator on this device.
        cooling: added time of a message after an idle period of the processor.
    """

    per_message_s: Seconds = 0.0
    per_byte_s: SecondsPerByte = 0.0
    delay_s: Seconds = 0.0
    asking: Asking = Asking()
    cooling: Cooling = Cooling()


class LayerCost(Protocol):
    """Time and energy of a layer on a device that has parts."""

    @property
    def time_s(self) -> float:
        """Seconds from start to end."""

    @property
    def by_part_j(self) -> Mapping[str, float]:
        """Joules by part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Time and mean power of one execution.

    Attributes:
        time_s: seconds from start to end on the whole device.
        power_w: mean power of the device in that time, idle included, in watts.
        by_part_j: joules by part, where the device has parts (laser, modulator, camera).
    """

    time_s: float
    power_w: float
    by_part_j: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_layers(
        cls,
        layers: Iterable[LayerCost],
        idle_w: float,
        *,
        parts: Iterable[str] = (),
        constant_w: Mapping[str, float] | None = None,
    ) -> Cost:
        """Return the cost of layers that run one after the other.

        Args:
            layers: time and joules by part of each.
            idle_w: mean power where no layer takes any time, in watts.
            parts: parts that are listed, also with 0 J.
            constant_w: watts of parts that draw the same all the time.
        """
        by_part_j = dict.fromkeys(parts, 0.0)
        time_s = 0.0
        for layer in layers:
            time_s += layer.time_s
            for part, joules in layer.by_part_j.items():
                by_part_j[part] = by_part_j.get(part, 0.0) + joules
        for part, watts in (constant_w or {}).items():
            by_part_j[part] = by_part_j.get(part, 0.0) + watts * time_s
        power_w = fsum(by_part_j.values()) / time_s if time_s > 0.0 else idle_w
        return cls(time_s=time_s, power_w=power_w, by_part_j=by_part_j)


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published latency or throughput of a model on a device; latency is of the batch.

    Attributes:
        model: name of the model in the zoo, or as it was published.
        precision: precision of the arithmetic.
        batch: samples of an execution.
        image_size: side of the images in pixels, where it is not the model's usual one.
        classes: outputs of the model, where they are not the usual ones.
        stated_latency_s: time of the batch, in seconds; either it or samples_per_s is given.
        samples_per_s: throughput, in samples per second.
        energy_j: energy of the batch, in joules, where it is known.
        clock_ratio: clock of the device that was measured over the entry's.
        runtime: runtime that ran the model.
        source: publication of the figure.
        fit: whether figures are fitted to the row.
        note: reason why a row is not to fit.
    """

    model: str
    precision: Precision
    batch: Count = 1
    image_size: Count | None = None
    classes: Count | None = None
    stated_latency_s: Annotated[PositiveSeconds | None, key("latency")] = None
    samples_per_s: Annotated[PositiveNumber | None, key("samples_per_s")] = None
    energy_j: PositiveJoules | None = None
    clock_ratio: PositiveNumber = 1.0
    runtime: str = ""
    source: str
    fit: bool = True
    note: str = ""

    @model_validator(mode="after")
    def _one_figure(self) -> Self:
        if (self.stated_latency_s is None) == (self.samples_per_s is None):
            raise ValueError("expected either latency or samples_per_s")
        return self

    @property
    def latency_s(self) -> float:
        """Seconds of one execution of the batch."""
        if self.stated_latency_s is not None:
            return self.stated_latency_s
        assert self.samples_per_s is not None
        return self.batch / self.samples_per_s


Costs = Callable[..., Cost]


def remembered(graph_cost: Costs) -> Costs:
    """Remember what a device's ``graph_cost`` returned: a run asks for the same few costs often."""

    @wraps(graph_cost)
    def remembering(device: Device, graph: Graph, precision: str, batch: int = 1) -> Cost:
        # Devices of the catalog live as long as the process: they must not hold graphs.
        known = device.__dict__.setdefault("_costs", WeakKeyDictionary())
        costs: dict[tuple[str, int], Cost] = known.setdefault(graph, {})
        cost = costs.get((precision, batch))
        if cost is None:
            cost = costs[precision, batch] = graph_cost(device, graph, precision, batch)
        return cost

    return remembering


if TYPE_CHECKING:
    from builtins import property as default
else:

    class default:  # noqa: N801
        """A property of devices whose class has neither field nor property of the name."""

        def __init__(self, read):
            self._read = read
            self.__doc__ = read.__doc__

        def __get__(self, device, kind=None):
            if device is None:
                raise AttributeError  # no default of a field
            return self._read(device)


@spec
@dataclass(frozen=True, kw_only=True, eq=False)
class Device(ABC):
    """A device of any kind: all that is read of it, with answers to what a kind need not say.

    A kind is a frozen dataclass that inherits from it and is marked by `edgesim.hardware.spec`: its
    fields are the keys of its YAML mapping, and field ``kind`` is a literal of its name, under
    which it is registered in the entry points ``edgesim.devices``. A field or a property of its own
    stands in place of an answer here.

    Attributes:
        name: name in the catalog, or the node's.
        kind: name of the kind of device.
        description: short description of the device.
        source: origin of each figure, by key path.
        published: times and energies of models that were published.
    """

    name: Annotated[str, SkipJsonSchema(), key(NOT_WRITTEN)] = ""
    kind: str = ""
    description: str = ""
    source: dict[str, str] = field(default_factory=dict, repr=False)
    published: tuple[Published, ...] = field(default=(), repr=False)

    @model_validator(mode="after")
    def _rows_in_a_precision_of_its_own(self) -> Self:
        known = self.precisions()
        for rows in ("published", "measured"):
            for index, row in enumerate(getattr(self, rows, ())):
                if row.precision not in known:
                    raise ValueError(
                        f"{rows}.{index}.precision: expected one of {', '.join(known)}, "
                        f"got {row.precision}"
                    )
        return self

    @default
    def cores(self) -> int:
        """Cores that tasks may share: one unless a kind says otherwise."""
        return 1

    @default
    def memory_capacity_bytes(self) -> float:
        """Bytes for weights and activations: infinity unless a kind says otherwise."""
        return inf

    @default
    def reserve_bytes(self) -> float:
        """Bytes of them that the system and the runtime usually take: none unless a kind says."""
        return 0.0

    @default
    def power(self) -> Power:
        """Draw in each state: nothing unless a kind says otherwise."""
        return Power()

    @default
    def idle_by_part_w(self) -> Mapping[str, float]:
        """Idle power by part, in watts; empty where the device has no parts."""
        return {}

    @default
    def messaging(self) -> Messaging:
        """Software cost of a message: nothing unless a kind says otherwise."""
        return Messaging()

    @default
    def decode(self) -> Decode:
        """Rates at which it decodes images: not known unless a kind says so."""
        return Decode()

    @default
    def decoder(self) -> Device:
        """Device that decodes images: itself, unless a kind has a host."""
        return self

    @default
    def cooling(self) -> Cooling:
        """Added time of an execution after a rest: none unless a kind says so."""
        return Cooling()

    @default
    def thermal(self) -> Thermal | None:
        """Thermal model; None where it is not known."""
        return None

    @default
    def runtime(self) -> str:
        """Runtime that the times are of: not known unless a kind says otherwise."""
        return ""

    @default
    def runtimes(self) -> Mapping[str, Any]:
        """What other runtimes change, by name: nothing unless a kind says otherwise."""
        return {}

    @default
    def spread(self) -> tuple[float, ...]:
        """Quantiles of an execution's time over its mean; () where they were not measured."""
        return ()

    @default
    def effective_bits(self) -> float | None:
        """Bits of an ideal converter as noisy as the arithmetic: None where that is exact."""
        return None

    @default
    def warnings(self) -> tuple[str, ...]:
        """Sentences about figures that make no sense together: none unless a kind says so."""
        return ()

    @default
    def pace(self) -> str:
        """A few words beside its name in a table of devices, such as ``710×710 at 20 kHz``."""
        return ""

    @abstractmethod
    def precisions(self) -> tuple[str, ...]:
        """Return the precisions that the device computes in."""

    @abstractmethod
    def graph_cost(self, graph: Graph, precision: str, batch: int = 1) -> Cost:
        """Return the cost of running ``graph`` on ``batch`` samples at once.

        Raises:
            InputError: the device does not compute in ``precision``.
        """

    @abstractmethod
    def flop_cost(self, flop: float, precision: str, cores: int | None = None) -> Cost:
        """Return the cost of ``flop`` operations of unknown kind: ``flop / peak``.

        ``cores`` tells how many of the device's cores work on it (all by default); the power is
        the device's own draw with just those cores busy.
        """

    def explain(
        self, graph: Graph, precision: str, batch: int = 1, operator: str | None = None
    ) -> Explanation:
        """Return time and energy of each operator of ``graph``, or of one by its name.

        Here it is the graph as a whole: a device need not know its operators apart.

        Raises:
            InputError: as `graph_cost`, or ``operator`` cannot be explained.
        """
        if operator is not None:
            raise InputError(
                f"device '{self.name}' of kind {self.kind} tells nothing of single layers"
            )
        cost = self.graph_cost(graph, precision, batch)
        names, energy_j = tuple(op.name for op in graph), cost.power_w * cost.time_s
        row = Row(
            operators=names,
            bound="",
            time_s=cost.time_s,
            energy_j=energy_j,
            cells=(f"and {len(names) - 1} more" if len(names) > 1 else "",),
        )
        return Explanation(
            arithmetic=precision,
            headings=("",),
            rows=(row,),
            time_s=cost.time_s,
            energy_j=energy_j,
            by_part_j=cost.by_part_j,
        )

    def check(self, precision: str, batch: int = 1, cores: int | None = None) -> None:
        """Check what is asked of the device.

        Raises:
            InputError: it does not compute in ``precision``, ``batch`` is not positive, or it has
                not so many cores.
        """
        known = self.precisions()
        if precision not in known:
            raise InputError(
                f"device '{self.name}' does not compute in {precision}; it has {', '.join(known)}"
            )
        if batch < 1:
            raise InputError(f"device '{self.name}': expected a batch of at least 1, got {batch}")
        if cores is not None and not 1 <= cores <= self.cores:
            many = "1 core" if self.cores == 1 else f"1 to {self.cores} cores"
            raise InputError(f"device '{self.name}': expected {many}, got {cores}")

    def unused_compression(self, op: Op, precision: str) -> tuple[str, ...]:
        """Return what of an operator's compression takes as much time as if it were not there.

        Args:
            op: operator.
            precision: number format of the model.

        Returns:
            Words for each: here all, as a device need not know of compression.
        """
        found = []
        if op.density < 1.0:
            found.append(ZERO_BLOCKS)
        bits = op.arithmetic_bits
        if op.macs and bits is not None and bits < 8 * BYTES_PER_ELEMENT[precision]:
            found.append(f"arithmetic of {bits} bits")
        if op.kind.is_shift_add:
            found.append(SHIFT_ADD)
        return tuple(found)

    def figures(self) -> Iterable[tuple[str, str, str]]:
        """Return (key path, value, source) of figures that its YAML leaves to a preset: none."""
        return ()
