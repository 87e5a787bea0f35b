"""A photonic crossbar as a device that runs operator graphs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from edgesim.common.errors import InputError
from edgesim.common.quantities import Bandwidth, Watts
from edgesim.common.text import percent
from edgesim.common.validation import key, spec
from edgesim.graph import Graph, Op, OpKind
from edgesim.hardware.crossbar.counts import Price, Product, price, product_of
from edgesim.hardware.crossbar.electronics import Division, divide
from edgesim.hardware.crossbar.layers import Layer, explain_model, explain_product
from edgesim.hardware.crossbar.parts import BITS, Parts
from edgesim.hardware.device import Cost, Device, Messaging, Power, remembered
from edgesim.hardware.explanation import Explanation, unknown
from edgesim.hardware.host import SilentHost
from edgesim.hardware.processor import Processor
from optics.timing import Scaling

_COUNTED = "derived: parts counted, each with its figure above"


def _merged(data: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain data with those of another in their place, mappings merged."""
    both = {
        key: _merged(data[key], value)
        if isinstance(value, Mapping) and isinstance(data.get(key), Mapping)
        else value
        for key, value in other.items()
    }
    return {**data, **both}


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """Draw in each state, in watts, without the host.

    Attributes:
        idle_w: draw while nothing is done, in watts; that of the tuned rings unless given.
        sending_w: draw of the otherwise idle crossbar while a flow leaves it, in watts.
        receiving_w: draw of the otherwise idle crossbar while a flow enters it, in watts.
    """

    idle_w: Watts | None = None
    sending_w: Watts | None = None
    receiving_w: Watts | None = None


@spec
@dataclass(frozen=True, kw_only=True, eq=False)
class PhotonicCrossbar(Parts, Device):
    """A photonic tensor core, as Lightening-Transformer (Zhu et al., HPCA 2024) builds one.

    In each cell of a core, one beam of a row and one of a column interfere before two photodiodes;
    over all wavelengths these detect a signed dot product. Both operands are modulated anew for
    every shot, so that products of two activations cost what those with weights cost.

    Time and joules come from counting (`counts.Counts`), with the paper's constants and accounting:

    - a product takes max(cycles / clock, chunks from the global buffer, weights from memory); such
      transfers end with a cycle of the digital clock;
    - lasers, converters, modulators, detectors and adders draw energy by event, with powers that
      scale with bits as `parts.Parts` tells; buffers and memory by byte and access;
    - weights come from memory once for each run and batch, activations stay in the global buffer;
    - what is no product takes the global buffer's time to pass it, an access in and one out, and
      `parts.Digital`'s operations.

    Four things the paper's own simulator counts otherwise (by small amounts, which the tests tell).
    It counts the electronic operators of one block of twelve; takes the seconds of these for
    milliseconds; multiplies the global buffer's energy for the operands of attention by itself,
    which makes it nothing; and has rings draw power only while they pass data, where here all are
    kept tuned from start to end. What the paper does not say: a batch normalisation after a product
    scales its weights beforehand; of activations beyond the global buffer's capacity, the share
    that it cannot hold lies in memory.

    With a host, that processor runs what is no product, instead of the digital units: in the
    precision asked for, or in its first where it lacks that. What passes to and fro crosses the
    link at the crossbar's bits, and neither works while the other does.

    It leaves out: noise and what it does to accuracy, calibration, the time that light and
    conversions take to pass through (nanoseconds for a layer), and whatever a lost cycle costs
    where blocks do not divide evenly among cores.

    Attributes:
        scaling: assumption about how parts will develop; ``conservative`` takes the figures of the
            other keys.
        scalings: figures under another assumption, by its name: keys as of the device.
        offered: precisions that it computes in.
        host: processor for what is no product, instead of the digital units.
        link_byte_s: rate between the crossbar and its host, in bytes per second.
        states: draw in each state.
        messaging: software cost of a message.
    """

    kind: Literal["photonic-crossbar"] = "photonic-crossbar"
    scaling: Scaling = "conservative"
    scalings: Mapping[Literal["moderate", "aggressive"], Mapping[str, Any]] = field(
        default_factory=dict
    )
    offered: Annotated[tuple[Literal["int4", "int8"], ...], Field(min_length=1), key("precision")]
    host: SilentHost | None = None
    link_byte_s: Bandwidth = math.inf
    states: Annotated[States, key("power")] = States()
    messaging: Messaging = Messaging()

    @model_validator(mode="before")
    @classmethod
    def _scaled(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or data.get("scaling") in (None, "conservative"):
            return data
        scalings = data.get("scalings")
        found = scalings.get(data["scaling"]) if isinstance(scalings, Mapping) else None
        return _merged(data, found) if isinstance(found, Mapping) else data

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.scaling != "conservative" and self.scaling not in self.scalings:
            raise ValueError(
                f"scaling: expected what differs under '{self.scaling}' in scalings, which has "
                f"{', '.join(self.scalings) or 'nothing'}"
            )
        return self

    @model_validator(mode="after")
    def _converters_keep_up(self) -> Self:
        bits = max(BITS[one] for one in self.offered)
        for name, one in (("dac", self.dac), ("adc", self.adc)):
            if one.rate_hz < self.array.clock_hz:
                raise ValueError(
                    f"{name}.rate: expected at least the array's clock "
                    f"({self.array.clock_hz:g} Hz), got {one.rate_hz:g} Hz"
                )
            if one.bits < bits:
                raise ValueError(
                    f"{name}.bits: expected at least the {bits} bits of a precision, got {one.bits}"
                )
        return self

    @model_validator(mode="after")
    def _states_ordered(self) -> Self:
        states, least = self.states, self.rings_w
        if states.idle_w is not None and states.idle_w < least * (1 - 1e-9):
            raise ValueError(
                f"power.idle: expected at least the {least:.4g} W that keep the rings tuned, "
                f"got {states.idle_w} W"
            )
        for state, watts in (("sending", states.sending_w), ("receiving", states.receiving_w)):
            idle = states.idle_w or least
            if watts is not None and watts < idle:
                raise ValueError(f"power.{state}: expected at least idle ({idle} W), got {watts} W")
        return self

    @property
    def memory_capacity_bytes(self) -> float:
        """Memory for weights and activations, bytes."""
        return self.memory.capacity_bytes

    @cached_property
    def power(self) -> Power:
        """Idle, rings are tuned and lasers off; busy, as in a table of the paper, all else works.

        Busy is at the most bits offered, without what buffers and memory draw by the byte.
        """
        states, idle_w = self.states, math.fsum(self.idle_by_part_w.values())
        full = self.full_power_w(max(BITS[one] for one in self.offered))
        host_w = self.host.power.idle_w if self.host else 0.0
        return Power(
            idle_w=idle_w,
            busy_w=math.fsum(full.values()) + self._standby_w + host_w,
            sending_w=None if states.sending_w is None else states.sending_w + host_w,
            receiving_w=None if states.receiving_w is None else states.receiving_w + host_w,
        )

    @property
    def _standby_w(self) -> float:
        """Idle power of all parts but rings and host, in watts."""
        idle_w = self.states.idle_w
        return 0.0 if idle_w is None else max(0.0, idle_w - self.rings_w)

    @property
    def decoder(self) -> Device:
        """Its host, where it has one, decodes images."""
        return self.host or self

    @cached_property
    def idle_by_part_w(self) -> Mapping[str, float]:
        """Idle power of rings, of all other parts, and of the host, in watts."""
        drawn = {"rings": self.rings_w, "standby": self._standby_w}
        if self.host is not None:
            drawn["host"] = self.host.power.idle_w
        return {part: watts for part, watts in drawn.items() if watts}

    @property
    def pace(self) -> str:
        """Crossbars, their size and clock, in a few words."""
        array = self.array
        return f"{array.cores} of {array.rows}×{array.columns} at {array.clock_hz / 1e9:g} GHz"

    def precisions(self) -> tuple[str, ...]:
        """Return the precisions that the device computes in."""
        return self.offered

    @remembered
    def graph_cost(self, graph: Graph, precision: str, batch: int = 1) -> Cost:
        """Return the cost of running ``graph`` on ``batch`` samples at once.

        Raises:
            InputError: the device does not compute in ``precision``, ``batch`` is not positive, or
                a layer is no plain product and there is no host.
        """
        layers = self.layers(graph, precision, batch)
        return Cost.of_layers(layers, self.power.idle_w, constant_w=self.idle_by_part_w)

    def explain(
        self, graph: Graph, precision: str, batch: int = 1, operator: str | None = None
    ) -> Explanation:
        """Return time and energy of every operator, or the events of one product.

        Raises:
            InputError: as :meth:`graph_cost`, or the operator is no product.
        """
        layers = self.layers(graph, precision, batch)
        if operator is None:
            cost = self.graph_cost(graph, precision, batch)
            return explain_model(layers, cost, self.array, graph.macs * batch, precision)
        products = {layer.name: layer for layer in layers if layer.product is not None}
        if operator not in products:
            raise unknown(graph, operator, products, "matrix product")
        return explain_product(products[operator], self.array, precision)

    def figures(self) -> Iterator[tuple[str, str, str]]:
        """Yield (key path, value, source) of each part's draw and area, where areas are given."""
        if not self.area_m2:
            return
        bits = max(BITS[one] for one in self.offered)
        drawn, areas = self.full_power_w(bits), self.areas_m2
        for what, figures, unit, factor in (
            (f"draw at {bits} bits", drawn, "W", 1.0),
            ("area", areas, "mm^2", 1e6),
        ):
            total = math.fsum(figures.values())
            for part, figure in sorted(figures.items(), key=lambda one: -one[1]):
                if figure:
                    share = percent(figure / total)
                    yield f"{what}: {part}", f"{figure * factor:.4g} {unit}, {share}", _COUNTED
            if total:
                yield f"{what}: all", f"{total * factor:.4g} {unit}", _COUNTED

    def layers(self, graph: Graph, precision: str, batch: int = 1) -> tuple[Layer, ...]:
        """Return what each operator costs, in execution order, and after them the host.

        Raises:
            InputError: as :meth:`graph_cost`.
        """
        self.check(precision, batch)
        bits = BITS[precision]
        try:
            division = divide(graph, host=self.host is not None)
        except InputError as error:
            raise InputError(f"device '{self.name}': {error}") from None
        outside = [self._outside(live * batch * bits / 8) for live in graph.cut_elements]
        found = []
        for index, op in enumerate(graph.ops):
            spilled = op.input_elements * outside[index] + op.output_elements * outside[index + 1]
            spilled_bytes = spilled * batch * bits / 8
            if op.name in division.products:
                found.append(self._multiplied(op, batch, bits, spilled_bytes))
            elif self.host is None and op.name not in division.folded:
                found.append(self._electronic(op, batch, bits, spilled_bytes))
        if self.host is not None:
            found += self._hosted(division, self.host, precision, batch)
        return tuple(found)

    def _outside(self, live_bytes: float) -> float:
        """Return the share of live activations that the global buffer cannot hold."""
        return max(0.0, 1.0 - self.buffer.capacity_bytes / live_bytes) if live_bytes else 0.0

    def _multiplied(self, op: Op, batch: int, bits: int, spilled_bytes: float) -> Layer:
        product = product_of(op, batch)
        assert product is not None
        of = self._prices(product, bits)
        times, by_part_j, memory = of.times_s, of.by_part_j, self.memory
        if spilled_bytes:
            moved_j = spilled_bytes * memory.energy_j_byte
            times = {**times, "memory": times["memory"] + spilled_bytes / memory.bandwidth_byte_s}
            by_part_j = {**by_part_j, "memory": by_part_j["memory"] + moved_j}
        bound = max(times, key=times.__getitem__)
        return Layer(
            name=op.name,
            kind=op.kind,
            product=product,
            counts=of.counts,
            bound=bound,
            time_s=times[bound],
            by_part_j=by_part_j,
        )

    @cached_property
    def _prices(self) -> Callable[[Product, int], Price]:
        # A transformer's blocks are alike.
        return lru_cache(maxsize=4096)(lambda product, bits: price(product, self, bits))

    def _electronic(self, op: Op, batch: int, bits: int, spilled_bytes: float) -> Layer:
        digital = self.digital
        elements = batch * (op.input_elements if op.kind is OpKind.POOL else op.output_elements)
        size_bytes = elements * bits / 8
        if op.kind is OpKind.SOFTMAX:
            computed_j = size_bytes * digital.softmax_j_byte
        else:
            computed_j = elements * digital.operations.get(op.kind, 0.0) * digital.operation_j
        passing_s = size_bytes / self.buffer.bandwidth_byte_s
        spilling_s = spilled_bytes / self.memory.bandwidth_byte_s
        return Layer(
            name=op.name,
            kind=op.kind,
            bound="digital" if passing_s >= spilling_s else "memory",
            time_s=max(passing_s, spilling_s),
            by_part_j={
                "digital": computed_j,
                "global-buffer": 2 * size_bytes * self.buffer.energy_j_byte,
                "memory": spilled_bytes * self.memory.energy_j_byte,
            },
        )

    def _hosted(
        self, division: Division, host: Processor, precision: str, batch: int
    ) -> list[Layer]:
        if division.rest is None:
            return []
        own = precision if precision in host.precisions() else host.precisions()[0]
        cost = host.graph_cost(division.rest, own, batch)
        moved_bytes = division.crossing * batch * BITS[precision] / 8
        return [
            Layer(
                name="host",
                kind=None,
                bound="host",
                time_s=cost.time_s + moved_bytes / self.link_byte_s,
                by_part_j={
                    "host": (cost.power_w - host.power.idle_w) * cost.time_s,
                    "global-buffer": moved_bytes * self.buffer.energy_j_byte,
                },
            )
        ]

    def flop_cost(self, flop: float, precision: str, cores: int | None = None) -> Cost:
        """Return the cost of ``flop`` operations of unknown shape: all cores filled, by peak.

        What moves is unknown, and left out.

        Raises:
            InputError: the device does not compute in ``precision``, or ``cores`` is not 1.
        """
        self.check(precision, cores=cores)
        time_s = flop / (2.0 * self.array.mac_s)
        drawn_w = {**self.idle_by_part_w, **self.full_power_w(BITS[precision])}
        return Cost(
            time_s=time_s,
            power_w=math.fsum(drawn_w.values()),
            by_part_j={part: watts * time_s for part, watts in drawn_w.items()},
        )
