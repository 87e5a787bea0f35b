"""Processors: CPUs, GPUs and NPUs as a roofline with launch overhead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    model_validator,
)

from edgesim.common.fields import Count
from edgesim.common.quantities import (
    Bandwidth,
    Bytes,
    FlopRate,
    Number,
    PositiveBytes,
    PositiveNumber,
    PositiveSeconds,
    Seconds,
    Share,
)
from edgesim.common.text import count, duration, percent, size
from edgesim.common.validation import ReadAs, spec
from edgesim.graph import BYTES_PER_ELEMENT, Graph, Op, OpKind, fingerprint
from edgesim.hardware.decoding import Decode
from edgesim.hardware.device import (
    SHIFT_ADD,
    Cooling,
    Cost,
    Device,
    Messaging,
    Power,
    Precision,
    remembered,
)
from edgesim.hardware.explanation import Details, Explanation, Row, unknown
from edgesim.hardware.faults import Thermal
from edgesim.hardware.fusion import Kernel, kernels
from edgesim.hardware.runtimes import Runtime, RuntimeName

Peak = Annotated[
    Mapping[str, float],
    ReadAs(Annotated[dict[Precision, FlopRate], Field(min_length=1)]),
]
"""FLOP per second of all cores, by precision."""


def _nested(value: object) -> str:
    nested = isinstance(value, dict) and any(isinstance(item, dict) for item in value.values())
    return "precisions" if nested else "kinds"


def _by_precision(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    """Return the efficiency by precision and kind, whichever way it was written."""
    if _nested(value) == "precisions":
        return value
    return {precision: value for precision in info.data.get("peak_flop_s", ()) if value}


_ByKind = dict[OpKind, Share]
Efficiency = Annotated[
    Mapping[str, Mapping[str, float]],
    ReadAs(
        Annotated[
            Annotated[_ByKind, Tag("kinds")]
            | Annotated[dict[Precision, _ByKind], Tag("precisions")],
            Discriminator(_nested),
        ]
    ),
    AfterValidator(_by_precision),
]
"""Share of the peak that is reached, by precision and then by operator kind."""


def _ascending(quantiles: tuple[float, ...]) -> tuple[float, ...]:
    if len(quantiles) == 1 or any(one > other for one, other in pairwise(quantiles)):
        raise ValueError("expected two or more quantiles of time over its mean, ascending")
    return quantiles


_INTEGERS = {"int8": 8, "int4": 4}
"""Bits that an integer format holds."""


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of a device.

    Attributes:
        capacity_bytes: room for weights and activations, and for what is reserved, in bytes.
        reserve_bytes: part of it that the operating system and the runtime take, in bytes.
        bandwidth_byte_s: rate of reading and writing, in bytes per second.
    """

    capacity_bytes: PositiveBytes = inf
    reserve_bytes: Bytes = 0.0
    bandwidth_byte_s: Bandwidth = inf

    @model_validator(mode="after")
    def _reserve_leaves_something(self) -> Self:
        if self.reserve_bytes >= self.capacity_bytes:
            raise ValueError(
                f"expected a reserve below the capacity, {size(self.capacity_bytes)}, "
                f"got {size(self.reserve_bytes)}"
            )
        return self


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A whole model that was timed on the device, in place of the roofline.

    Attributes:
        model: name of the model.
        operators: SHA-256 of the model's operators (`edgesim.graph.fingerprint`), so that the time
            counts for just this model.
        precision: precision of the arithmetic.
        batch: samples of an execution.
        time_s: mean time of an execution, in seconds.
        runs: executions that were timed.
    """

    model: str
    operators: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    precision: Precision
    batch: Count = 1
    time_s: PositiveSeconds
    runs: Count


@dataclass(frozen=True, slots=True)
class Run:
    """A kernel on a batch, and the time of each cause alone.

    Attributes:
        kernel: kernel that runs.
        moved_bytes: bytes moved from and to memory.
        full_s: seconds of arithmetic with all lanes busy.
        idle_s: further seconds, as lanes have no work.
        memory_s: seconds of memory traffic, at the same time.
        launch_s: seconds of the launch, before both.
    """

    kernel: Kernel
    moved_bytes: float
    full_s: float
    idle_s: float
    memory_s: float
    launch_s: float

    @property
    def compute_s(self) -> float:
        """Time of the arithmetic."""
        return self.full_s + self.idle_s

    @property
    def time_s(self) -> float:
        """Seconds from launch to end."""
        return max(self.compute_s, self.memory_s) + self.launch_s

    @property
    def working_s(self) -> float:
        """Time in which arithmetic or memory works at full rate."""
        return max(self.full_s, self.memory_s)

    @property
    def bound(self) -> Literal["compute", "memory", "launch"]:
        """Cause of the longest time."""
        if self.launch_s > max(self.compute_s, self.memory_s):
            return "launch"
        return "compute" if self.compute_s >= self.memory_s else "memory"


@spec
@dataclass(frozen=True, kw_only=True, eq=False)
class Processor(Device):
    """A processor.

    The time of a kernel (one operator, or several that the runtime fuses) on a batch of b samples:

        max(sum over operators of FLOP x b / (peak x e(b)), bytes(b) / bandwidth) + overhead

    where bytes(b) are its weights once and its activations b times, and an operator that writes n
    elements a sample reaches the share of the peak

        e(b) = efficiency of its kind x b n / (b n + half_saturation)

    since fewer outputs than a device has lanes, times what hides their latency, leave lanes idle.
    A batch pays for overhead, weights and idle lanes once, which is why throughput grows with it
    until the peak or the bandwidth is reached. A kernel without products moves its bytes at its
    kind's share of the bandwidth; a Fourier transform takes no less than its FLOP at the peak. A
    kind that the device has no figure for (Fourier transforms, shifts and sums) has the share of
    the kind that it resembles (`OpKind.fitted_as`), and operators with bits of their own run in the
    fastest integer format that holds them. This is the roofline model (Williams, Waterman,
    Patterson, CACM 52(4), 2009) with a constant for each launch and a saturating occupancy.

    The device draws its busy power while arithmetic or memory works as fast as it can, and its idle
    power during launches and in idle lanes: a GPU that takes one image after the other is far from
    its board's limit. An A100 should draw 71, 82 and 111 W on DeiT-T, S and B at batch 1; 68, 73
    and 87 W of its 400 W are published (profile logs of Lightening-Transformer). This leaves out
    that clocks follow the load, that arithmetic and memory draw differently, and that a CPU's idle
    lanes may spin.

    Attributes:
        peak_flop_s: FLOP per second of all cores, by precision.
        cores: cores that tasks may share.
        efficiency: share of the peak that is reached, by operator kind, or by precision and kind;
            for kinds without products (``norm``) of the memory bandwidth. 1 where nothing is said.
        half_saturation: output elements with which an operator reaches half of its efficiency.
        launch_overhead_s: time to launch a kernel, in seconds.
        memory: capacity and bandwidth.
        fused: operator kinds that the runtime fuses into the kernel before them.
        runtime: runtime that its times are of, where it is known.
        runtimes: other runtimes and the factors of their times, by name.
        power: draw in each state.
        messaging: software cost of a message.
        decode: rates at which one core decodes images.
        measured: models that were timed, in place of the roofline.
        cooling: added time of an execution after an idle period.
        thermal: thermal model, by which the device warms up and throttles.
        spread: quantiles of the time of an execution over its mean, from the least to the most at
            equal steps of probability.
    """

    kind: Literal["processor"] = "processor"
    peak_flop_s: Peak
    cores: Count = 1
    efficiency: Efficiency = field(default_factory=dict)
    half_saturation: Number = 0.0
    launch_overhead_s: Seconds = 0.0
    memory: Memory = Memory()
    fused: frozenset[OpKind] = frozenset()
    runtime: Annotated[str, ReadAs(RuntimeName | Literal[""])] = ""
    runtimes: Annotated[Mapping[str, Runtime], ReadAs(dict[RuntimeName, Runtime])] = field(
        default_factory=dict
    )
    power: Power = Power()
    messaging: Messaging = Messaging()
    decode: Decode = Decode()
    measured: tuple[Measured, ...] = ()
    cooling: Cooling = Cooling()
    thermal: Thermal | None = None
    spread: Annotated[tuple[PositiveNumber, ...], AfterValidator(_ascending)] = ()

    @model_validator(mode="after")
    def _efficiency_of_what_has_a_peak(self) -> Self:
        for precision in self.efficiency:
            if precision not in self.peak_flop_s:
                raise ValueError(
                    f"efficiency.{precision}: expected a precision with a peak, "
                    f"the device computes in {', '.join(self.peak_flop_s)}"
                )
        return self

    @property
    def memory_capacity_bytes(self) -> float:
        """Bytes for weights and activations; infinity where nothing is said."""
        return self.memory.capacity_bytes

    @property
    def reserve_bytes(self) -> float:
        """Bytes of them that the system and the runtime usually take."""
        return self.memory.reserve_bytes

    @cached_property
    def _chosen(self) -> Runtime:
        """What the runtime changes of the figures: nothing, of the one that they are of."""
        return self.runtimes.get(self.runtime) or Runtime(fused=self.fused)

    @cached_property
    def _measured_s(self) -> Mapping[tuple[str, str, int], float]:
        return {(one.operators, one.precision, one.batch): one.time_s for one in self.measured}

    def precisions(self) -> tuple[str, ...]:
        """Return the precisions that the device computes in."""
        return tuple(self.peak_flop_s)

    def at_clock(self, ratio: float) -> Self:
        """Return the device at another clock, which memory does not follow, but all else.

        Args:
            ratio: the other clock over the device's own.
        """
        if ratio == 1.0:
            return self
        return replace(
            self,
            peak_flop_s={key: rate * ratio for key, rate in self.peak_flop_s.items()},
            launch_overhead_s=self.launch_overhead_s / ratio,
            decode=self.decode.at_clock(ratio),
        )

    @remembered
    def graph_cost(self, graph: Graph, precision: str, batch: int = 1) -> Cost:
        """Return the cost of running ``graph`` on ``batch`` samples at once.

        Raises:
            InputError: the device does not compute in ``precision``, or ``batch`` is not positive.
        """
        time_s = working_s = 0.0
        for _, _, full_s, idle_s, memory_s, launch_s in self._times(graph, precision, batch):
            time_s += max(full_s + idle_s, memory_s) + launch_s
            working_s += max(full_s, memory_s)
        share = working_s / time_s if time_s > 0.0 else 1.0
        if self._measured_s:
            time_s = self._measured_s.get((fingerprint(graph), precision, batch), time_s)
        return Cost(time_s=time_s, power_w=self._power_w(share))

    def _power_w(self, share: float) -> float:
        """Return the draw while the device works at full rate for a share of the time."""
        idle_w, busy_w = self.power.idle_w, self.power.busy_w
        return idle_w + (busy_w - idle_w) * share

    def _times(
        self, graph: Graph, precision: str, batch: int
    ) -> Iterator[tuple[Kernel, float, float, float, float, float]]:
        """Yield each kernel with its times, as `Run` has them."""
        self.check(precision, batch)
        width = BYTES_PER_ELEMENT[precision]
        chosen = self._chosen
        slower = chosen.factor(precision)
        for kernel in kernels(graph, chosen.fused):
            # FLOP b x (1 + half / (b n)) / peak: the last term of the sum is FLOP / n x half.
            full_s = slower * batch * kernel.other_flop / self.peak_flop_s[precision]
            idle_s = 0.0
            for work in kernel.work:
                format_ = self.arithmetic(precision, work.bits)
                rate = self.peak_flop_s[format_] * self._share(format_, work.kind)
                rate /= chosen.factor(format_) * chosen.factor(format_, work.kind)
                full_s += 2.0 * batch * work.macs / rate
                idle_s += 2.0 * self.half_saturation * work.depth / rate
            moved = kernel.moved_bytes(width, batch)
            share = 1.0 if kernel.work else self._share(precision, kernel.kind)
            memory_s = slower * moved / (self.memory.bandwidth_byte_s * share)
            if not kernel.work:
                memory_s *= chosen.factor(precision, kernel.kind)
            yield kernel, moved, full_s, idle_s, memory_s, slower * self.launch_overhead_s

    def arithmetic(self, precision: str, bits: int | None) -> str:
        """Return the precision in which an operator is computed.

        One whose operands have fewer bits runs in the fastest of the device's integer formats that
        hold them; in ``precision`` where none does or none is faster.
        """
        if bits is None:
            return precision
        able = (name for name, most in _INTEGERS.items() if bits <= most)
        return max(
            (precision, *(name for name in able if name in self.peak_flop_s)),
            key=self.peak_flop_s.__getitem__,
        )

    def unused_compression(self, op: Op, precision: str) -> tuple[str, ...]:
        """Return what of an operator's compression takes the time of the plain operator.

        Blocks of zero weights are computed. Bits are used where a format that holds them is faster
        than ``precision``, shifts and sums where the device has a figure for their kind.
        """
        format_ = self.arithmetic(precision, op.arithmetic_bits)
        used = {SHIFT_ADD} if op.kind in self.efficiency.get(format_, {}) else set()
        if format_ != precision:
            used.add(f"arithmetic of {op.arithmetic_bits} bits")
        found = super().unused_compression(op, precision)
        return tuple(what for what in found if what not in used)

    def _share(self, precision: str, kind: OpKind) -> float:
        """Return the share of the peak or of the bandwidth that a kind reaches."""
        shares = self.efficiency.get(precision, {})
        share = shares.get(kind)
        return shares.get(kind.fitted_as, 1.0) if share is None else share

    def explain(
        self, graph: Graph, precision: str, batch: int = 1, operator: str | None = None
    ) -> Explanation:
        """Return what each kernel of ``graph`` takes, or all of the one that has an operator.

        Raises:
            InputError: as :meth:`graph_cost`, or no operator has the name.
        """
        runs = [Run(*times) for times in self._times(graph, precision, batch)]
        roofline_s = sum(run.time_s for run in runs)
        rows = [self._row(graph, run, batch, roofline_s) for run in runs]
        if operator is not None:
            for run, row in zip(runs, rows, strict=True):
                if operator in row.operators:
                    return Explanation(
                        arithmetic=precision,
                        rows=(row,),
                        time_s=row.time_s,
                        energy_j=row.energy_j,
                        details=_details(run, row),
                    )
            raise unknown(graph, operator, [op.name for op in graph], "operator")
        cost = self.graph_cost(graph, precision, batch)
        bound = dict.fromkeys(("compute", "memory", "launch"), 0.0)
        for row in rows:
            bound[row.bound] += row.time_s
        divided = ", ".join(
            f"{percent(time_s / roofline_s)} bound by {one}"
            for one, time_s in bound.items()
            if time_s
        )
        note = f": {divided}" if divided else ""
        if cost.time_s != roofline_s:
            note += f"; timed as a whole, in place of the {duration(roofline_s)} of its kernels"
        flop = float(batch * graph.flop)
        moved = math.fsum(run.moved_bytes for run in runs)
        return Explanation(
            arithmetic=precision,
            headings=("kernel", "FLOP", "bytes", "share"),
            rows=tuple(rows),
            totals=("", count(flop), size(moved), ""),
            time_s=cost.time_s,
            energy_j=cost.power_w * cost.time_s,
            time_note=note,
            figures={"flop": flop, "bytes": moved},
        )

    def _row(self, graph: Graph, run: Run, batch: int, whole_s: float) -> Row:
        kernel, share = run.kernel, run.time_s / whole_s if whole_s else 0.0
        flop = 2.0 * batch * sum(work.macs for work in kernel.work) + batch * kernel.other_flop
        kinds = [str(graph[name].kind) for name in kernel.names]
        working = run.working_s / run.time_s if run.time_s else 1.0
        return Row(
            operators=kernel.names,
            bound=run.bound,
            time_s=run.time_s,
            energy_j=self._power_w(working) * run.time_s,
            cells=(
                kinds[0] + (f" and {len(kinds) - 1} more" if len(kinds) > 1 else ""),
                count(flop) if flop else "", size(run.moved_bytes), percent(share),
            ),
            figures={
                "operators": list(kernel.names), "kinds": kinds, "flop": flop,
                "bytes": run.moved_bytes, "share": share, "compute_s": run.compute_s,
                "memory_s": run.memory_s, "launch_s": run.launch_s,
            },
        )  # fmt: skip

    def flop_cost(self, flop: float, precision: str, cores: int | None = None) -> Cost:
        """Return the cost of ``flop`` operations of unknown kind: ``flop / peak``.

        Raises:
            InputError: the device does not compute in ``precision``, or has not so many cores.
        """
        self.check(precision, cores=cores)
        share = 1.0 if cores is None else cores / self.cores
        time_s = flop / (self.peak_flop_s[precision] * share)
        return Cost(time_s=time_s, power_w=self._power_w(share))


def _details(run: Run, row: Row) -> Details:
    kernel = run.kernel
    reads = count(kernel.weight_elements), count(kernel.activation_elements)
    lines = (
        ("arithmetic", f"{count(row.figures['flop'])} FLOP with all lanes busy", run.full_s),
        ("idle lanes", "fewer outputs than lanes", run.idle_s),
        ("memory", f"{size(run.moved_bytes)} moved", run.memory_s),
        ("launch", "of one kernel", run.launch_s),
    )
    together = f" in one kernel with {', '.join(kernel.names)}" if len(kernel.names) > 1 else ""
    return Details(
        facts=(
            f"{' + '.join(row.figures['kinds'])}{together}: {duration(run.time_s)}, bound by "
            f"{run.bound}; "
            f"{reads[0]} elements of weights and {reads[1]} of activations a sample",
        ),
        title="Time by cause; arithmetic and memory overlap",
        headings=("cause", "what", "time", "of the whole"),
        numbers=(2, 3),
        rows=tuple(
            (cause, what, duration(time_s), percent(time_s / run.time_s) if run.time_s else "")
            for cause, what, time_s in lines
        ),
        strong={"compute": 0, "memory": 2, "launch": 3}[run.bound],
    )
