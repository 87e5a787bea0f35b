"""What ``edgesim check`` prints: the plan, whether it fits, and what bounds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from edgesim.common.text import count, duration, percent, rate, size
from edgesim.hardware.optical_4f import Optical4F
from edgesim.hardware.runtimes import runtime_text
from edgesim.placement import Plan
from edgesim.placement.alone import Alone, better_alone
from edgesim.placement.bounds import Bottleneck, bottleneck
from edgesim.placement.class_wise import HeadsRow, keeps_all_heads, table_of_heads
from edgesim.report.run_tables import alone_sentences
from edgesim.report.table import Table
from edgesim.scenario.scenario import Scenario

if TYPE_CHECKING:
    from rich.console import Console

_MOST_ROWS = 40


@dataclass(frozen=True, slots=True)
class Checked:
    """A scenario, its plan, and the plan's bounds."""

    scenario: Scenario
    plan: Plan
    bounds: Bottleneck

    def document(self) -> dict[str, Any]:
        """Return what was found as plain data."""
        capacity = self.bounds.capacity_per_s
        return {
            "name": self.scenario.name,
            "strategy": self.plan.strategy,
            "precision": self.plan.precision,
            "details": dict(self.plan.details),
            "tasks": _tasks(self),
            "transfers": [
                {"branch": number, "from": one.source, "to": one.target, "bytes": one.bytes}
                for number, branch in enumerate(self.plan.branches)
                for one in branch.transfers
            ],
            "memory": {
                name: {"bytes": held, "capacity_bytes": _finite(self.capacity_bytes(name))}
                for name, held in self.plan.memory_bytes().items()
            },
            "bottleneck": self.bounds.resource,
            "capacity_per_s": _finite(capacity),
            "unloaded_latency_s": self.bounds.latency_s,
            "overloaded": self.overloaded,
            "light": {
                name: budget_of(node.device)
                for name, node in self.scenario.cluster.nodes.items()
                if isinstance(node.device, Optical4F)
            },
            "alone": [asdict(one) for one in self.alone],
            "heads": [asdict(one) for one in self.heads],
            "notes": self.scenario.notes_on(self.plan),
            "warnings": self.scenario.warnings_on(self.plan),
        }

    @property
    def alone(self) -> list[Alone]:
        """Devices of the cluster that are faster or cheaper by themselves."""
        request, samples = self.scenario.placement, self.scenario.traffic.samples
        return better_alone(self.plan, request, self.bounds.latency_s, samples)

    @property
    def heads(self) -> list[HeadsRow]:
        """What each number of heads comes to, where sub-models keep all of them."""
        if not keeps_all_heads(self.plan):
            return []
        return table_of_heads(self.scenario.placement, self.scenario.traffic.samples)

    def capacity_bytes(self, node: str) -> float:
        """Return the memory of a node that models may use."""
        return self.scenario.cluster.nodes[node].model_memory_bytes

    @property
    def overloaded(self) -> bool:
        """Whether more is asked than the plan can serve."""
        return self.scenario.traffic.outpaces(
            self.bounds.capacity_per_s, self.scenario.cluster.nodes.values()
        )


_GROWS = "the queue will grow as long as the run lasts"


def examine(scenario: Scenario, plan: Plan) -> Checked:
    """Return a plan with its bounds."""
    return Checked(scenario, plan, bottleneck(plan, scenario.cluster, scenario.traffic.samples))


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _tasks(checked: Checked) -> list[dict[str, Any]]:
    """Return the tasks of the plan as plain data, each with its time without a queue."""
    nodes = checked.scenario.cluster.nodes
    samples = checked.scenario.traffic.samples
    return [
        {
            "branch": number,
            "task": task.name,
            "node": task.node,
            "device": nodes[task.node].device.name,
            "runtime": runtime_text(nodes[task.node].device, checked.plan.precision)
            if task.graph is not None
            else "",
            "kind": task.kind,
            "classes": list(task.classes),
            "macs": float(task.graph.macs) if task.graph is not None else task.flop / 2,
            "memory_bytes": task.memory_bytes,
            "time_s": task.cost(nodes[task.node].device, checked.plan.precision, samples).time_s,
        }
        for number, branch in enumerate(checked.plan.branches)
        for task in branch.tasks
    ]


def _heads(rows: Sequence[HeadsRow]) -> Table:
    """Return what each number of heads comes to."""
    lines = [
        [
            str(row.heads), size(row.part_bytes), count(row.part_macs), duration(row.latency_s),
            rate(row.capacity_per_s),
        ]
        for row in rows
    ]  # fmt: skip
    head = ["heads kept", "largest part", "MAC", "one request", "at most"]
    return Table("Sub-models by the heads that each keeps (placement.heads)", head, lines)


def budget_of(device: Optical4F) -> dict[str, Any]:
    """Return the light of the brightest pixel of an accelerator as plain data."""
    budget = device.budget
    return {
        "share": device.light,
        "photons": budget.photons,
        "share_of_full_well": budget.full_share or None,
        "clipped": budget.saturated,
        "effective_bits": device.effective_bits,
    }


def _light(checked: Checked) -> Iterator[str]:
    """Yield what the light of each kind of accelerator amounts to."""
    nodes = checked.scenario.cluster.nodes.values()
    for device in {id(one.device): one.device for one in nodes}.values():
        if not isinstance(device, Optical4F):
            continue
        light = budget_of(device)
        filled = light["share_of_full_well"]
        of_well = "" if filled is None else f", {percent(filled)} of what its camera takes"
        share, bits = percent(light["share"]), f"{light['effective_bits']:.1f}"
        yield (
            f"Light of {device.name}: {share} of a clear filter's light is "
            f"{light['photons']:,.3g} photons in the brightest pixel of an exposure{of_well}; "
            f"{bits} effective bits, whatever the precision."
        )


def show(checked: Checked, console: Console) -> None:
    """Print a checked plan."""
    plan, bounds = checked.plan, checked.bounds
    console.print(
        f"[bold]{escape(checked.scenario.name)}[/]  is valid: {plan.strategy}, {plan.precision}"
    )
    tasks = _tasks(checked)
    runtimes = any(task["runtime"] for task in tasks)
    lines = [
        [
            task["task"], task["node"], task["device"], *([task["runtime"]] if runtimes else []),
            count(task["macs"]), size(task["memory_bytes"]), duration(task["time_s"]),
        ]
        for task in tasks[:_MOST_ROWS]
    ]  # fmt: skip
    more = f"… {len(tasks) - _MOST_ROWS:,} more" if len(tasks) > _MOST_ROWS else ""
    head = [
        "task", "node", "device", *(["runtime"] if runtimes else []), "MAC", "memory", "time"
    ]  # fmt: skip
    note = "One MAC is two FLOP; times are of one request without a queue."
    Table("", head, lines, more, [note], left=range(4 if runtimes else 3)).show(console)
    memory = plan.memory_bytes()
    fullest = max(
        memory, key=lambda name: memory[name] / checked.capacity_bytes(name), default=None
    )
    if fullest is not None and isfinite(checked.capacity_bytes(fullest)):
        share = memory[fullest] / checked.capacity_bytes(fullest)
        console.print(
            f"Memory fits; fullest is {escape(fullest)}, with {size(memory[fullest])} of "
            f"{size(checked.capacity_bytes(fullest))} ({percent(share)})."
        )
    console.print(
        f"Bounded by {escape(bounds.resource)}: at most {rate(bounds.capacity_per_s)}; "
        f"one request alone takes at least {duration(bounds.latency_s)}."
    )
    for sentence in _light(checked):
        console.print(escape(sentence), soft_wrap=True)
    for sentence in alone_sentences([asdict(one) for one in checked.alone]):
        console.print(escape(sentence), soft_wrap=True)
    if heads := checked.heads:
        _heads(heads).show(console)
    for warning in checked.scenario.warnings_on(plan):
        console.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    for note in checked.scenario.notes_on(plan):
        console.print(f"note: {escape(note)}", soft_wrap=True)
    peak_per_s = checked.scenario.traffic.peak_per_s
    if not checked.overloaded and peak_per_s is not None and peak_per_s > bounds.capacity_per_s:
        console.print(
            f"note: up to {rate(peak_per_s)} are asked at times, more than "
            f"{escape(bounds.resource)} can serve: the queue grows meanwhile"
        )
    if checked.overloaded:
        bounded = checked.scenario.ends_waits_at(bounds.resource)
        console.print(
            f"[yellow]warning:[/] {rate(checked.scenario.traffic.offered_per_s)} is asked: "
            f"overloaded, {bounded or _GROWS}"
        )
