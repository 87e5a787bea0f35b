"""Processors: CPUs, GPUs and NPUs as a roofline with launch overhead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import inf
from typing import TYPE_CHECKING

from edgesim.common.errors import InputError
from edgesim.graph import BYTES_PER_ELEMENT, Graph, OpKind, fingerprint
from edgesim.hardware.device import Cooling, Cost, Messaging, Power
from edgesim.hardware.faults import Thermal
from edgesim.hardware.fusion import kernels

if TYPE_CHECKING:
    from edgesim.hardware.processor_spec import ProcessorSpec

Efficiency = Mapping[str, Mapping[str, float]]
"""Share of the peak that is reached, by precision and then by operator kind."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Processor:
    """A processor.

    The time of a kernel (one operator, or several that the runtime fuses) on a batch of b samples:

        max(sum over operators of FLOP x b / (peak x e(b)), bytes(b) / bandwidth) + overhead

    where bytes(b) are its weights once and its activations b times, and an operator that writes n
    elements a sample reaches the share of the peak

        e(b) = efficiency of its kind x b n / (b n + half_saturation)

    since fewer outputs than a device has lanes, times what hides their latency, leave lanes idle.
    A batch pays for overhead, weights and idle lanes once, which is why throughput grows with it
    until the peak or the bandwidth is reached. A kernel without products moves its bytes at its
    kind's share of the bandwidth. This is the roofline model (Williams, Waterman, Patterson, CACM
    52(4), 2009) with a constant for each launch and a saturating occupancy.

    The device draws its busy power while arithmetic or memory works as fast as it can, and its idle
    power during launches and in idle lanes: a GPU that takes one image after the other is far from
    its board's limit. An A100 should draw 71, 82 and 111 W on DeiT-T, S and B at batch 1; 68, 73
    and 87 W of its 400 W are published (profile logs of Lightening-Transformer). This leaves out
    that clocks follow the load, that arithmetic and memory draw differently, and that a CPU's idle
    lanes may spin.

    Attributes:
        name: catalog name, or the node's.
        peak_flop_s: FLOP per second of all cores, by precision.
        cores: that tasks may share.
        efficiency: share of the peak that is reached, for kinds without products (``norm``) of
            the memory bandwidth; 1 where nothing is said.
        half_saturation: output elements with which an operator reaches half of its efficiency.
        launch_overhead_s: of each kernel.
        memory_bandwidth_byte_s: of the device's memory.
        memory_capacity_bytes: for weights and activations.
        fused: operator kinds that the runtime fuses into the kernel before them.
        power: states.
        messaging: software cost of a message.
        measured_s: seconds of whole models that were timed, by the fingerprint of their operators,
            precision and batch; they stand in place of the roofline.
        cooling: how much longer an execution takes after a rest.
        thermal: how it warms up and throttles; None where nobody knows.
        spread: quantiles of the time of an execution over its mean, from the least to the most at
            equal steps of probability; () where nobody measured it.
        source: where each figure comes from.
    """

    name: str
    peak_flop_s: Mapping[str, float]
    cores: int = 1
    efficiency: Efficiency = field(default_factory=dict)
    half_saturation: float = 0.0
    launch_overhead_s: float = 0.0
    memory_bandwidth_byte_s: float = inf
    memory_capacity_bytes: float = inf
    fused: frozenset[OpKind] = frozenset()
    power: Power = field(default_factory=Power)
    messaging: Messaging = field(default_factory=Messaging)
    measured_s: Mapping[tuple[str, str, int], float] = field(default_factory=dict)
    cooling: Cooling = field(default_factory=Cooling)
    thermal: Thermal | None = None
    spread: tuple[float, ...] = ()
    source: Mapping[str, str] = field(default_factory=dict)
    kind: str = "processor"

    @staticmethod
    def spec() -> type[ProcessorSpec]:
        """Return the pydantic model of this kind's YAML mapping."""
        from edgesim.hardware.processor_spec import ProcessorSpec

        return ProcessorSpec

    @classmethod
    def from_spec(cls, name: str, spec: ProcessorSpec) -> Processor:
        """Return the processor that a YAML mapping describes."""
        return cls(
            name=name,
            peak_flop_s={str(key): rate for key, rate in spec.peak.items()},
            cores=spec.cores,
            efficiency=spec.by_precision(),
            half_saturation=spec.half_saturation,
            launch_overhead_s=spec.launch_overhead,
            memory_bandwidth_byte_s=spec.memory.bandwidth,
            memory_capacity_bytes=spec.memory.capacity,
            fused=frozenset(spec.fused),
            power=spec.power,
            messaging=spec.messaging,
            measured_s={
                (one.operators, one.precision, one.batch): one.time for one in spec.measured
            },
            cooling=spec.cooling,
            thermal=spec.thermal,
            spread=spec.spread,
            source=spec.source,
        )

    def precisions(self) -> tuple[str, ...]:
        """Return the precisions that the device computes in."""
        return tuple(self.peak_flop_s)

    def graph_cost(self, graph: Graph, precision: str, batch: int = 1) -> Cost:
        """Return the cost of running ``graph`` on ``batch`` samples at once.

        Raises:
            InputError: the device does not compute in ``precision``, or ``batch`` is not positive.
        """
        return self._costs(graph, precision, batch)

    @cached_property
    def _costs(self) -> Callable[[Graph, str, int], Cost]:
        # A run asks for the same few again and again.
        return lru_cache(maxsize=4096)(self._graph_cost)

    def _graph_cost(self, graph: Graph, precision: str, batch: int) -> Cost:
        if batch < 1:
            raise InputError(f"device '{self.name}': expected a batch of at least 1, got {batch}")
        peak = self._peak(precision)
        shares = self.efficiency.get(precision, {})
        width = BYTES_PER_ELEMENT[precision]
        time_s = working_s = 0.0
        for kernel in kernels(graph, self.fused):
            # FLOP b x (1 + half / (b n)) / peak: the last term of the sum is FLOP / n x half.
            full_s = idle_s = 0.0
            for work in kernel.work:
                rate = peak * shares.get(work.kind, 1.0)
                full_s += 2.0 * batch * work.macs / rate
                idle_s += 2.0 * self.half_saturation * work.depth / rate
            moved = (kernel.weight_elements + batch * kernel.activation_elements) * width
            share = 1.0 if kernel.work else shares.get(kernel.kind, 1.0)
            memory_s = moved / (self.memory_bandwidth_byte_s * share)
            time_s += max(full_s + idle_s, memory_s) + self.launch_overhead_s
            working_s += max(full_s, memory_s)
        idle_w, busy_w = self.power.idle_w, self.power.busy_w
        share = working_s / time_s if time_s > 0.0 else 1.0
        if self.measured_s:
            time_s = self.measured_s.get((fingerprint(graph), precision, batch), time_s)
        return Cost(time_s=time_s, power_w=idle_w + (busy_w - idle_w) * share)

    def flop_cost(self, flop: float, precision: str, cores: int | None = None) -> Cost:
        """Return the cost of ``flop`` operations of unknown kind: ``flop / peak``.

        Raises:
            InputError: the device does not compute in ``precision``, or has not so many cores.
        """
        if cores is not None and not 1 <= cores <= self.cores:
            raise InputError(f"device '{self.name}': expected 1 to {self.cores} cores, got {cores}")
        share = 1.0 if cores is None else cores / self.cores
        idle_w, busy_w = self.power.idle_w, self.power.busy_w
        return Cost(
            time_s=flop / (self._peak(precision) * share),
            power_w=idle_w + (busy_w - idle_w) * share,
        )

    def _peak(self, precision: str) -> float:
        peak = self.peak_flop_s.get(precision)
        if peak is None:
            raise InputError(
                f"device '{self.name}' does not compute in {precision}; "
                f"it has {', '.join(self.peak_flop_s)}"
            )
        return peak
