"""Small clusters for tests: devices that only know FLOP, links by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from edgesim.graph import Graph
from edgesim.hardware import (
    Batch,
    Cluster,
    Cost,
    Device,
    Duplex,
    Fault,
    FaultKind,
    Hop,
    Link,
    Messaging,
    Network,
    Node,
    Power,
    Thermal,
    Variability,
)
from edgesim.hardware.faults import OF_LINKS
from edgesim.placement.plan import Branch, Plan, Task, Transfer
from edgesim.simulate import Recording, Traffic, simulate
from edgesim.simulate.arrivals import Trace


@dataclass(frozen=True, kw_only=True)
class Flops(Device):
    """A device that takes flop / rate and draws busy power meanwhile."""

    rate: float = 1.0
    cores: int = 1
    power: Power = field(default_factory=Power)
    messaging: Messaging = field(default_factory=Messaging)
    name: str = "flops"
    kind: str = "flops"
    memory_capacity_bytes: float = float("inf")
    thermal: Thermal | None = None

    def precisions(self) -> tuple[str, ...]:
        return ("fp32",)

    def graph_cost(self, graph: Graph, precision: str, batch: int = 1) -> Cost:
        # A batch takes the time of one request more than half: sub-linear, and easy by hand.
        time_s = graph.flop / self.rate * (1 + (batch - 1) / 2)
        return Cost(time_s=time_s, power_w=self.power.busy_w)

    def flop_cost(self, flop: float, precision: str, cores: int | None = None) -> Cost:
        share = (cores or self.cores) / self.cores
        idle, busy = self.power.idle_w, self.power.busy_w
        return Cost(time_s=flop / (self.rate * share), power_w=idle + (busy - idle) * share)


def node(name: str = "A", *, device: Flops | None = None, **options: Any) -> Node:
    """A node; ``batch_max``, ``batch_wait_s``, ``variability`` and ``cv`` are of its sections."""
    sections: dict[str, dict[str, Any]] = {"batch": {}, "variability": {"kind": "none"}}
    for key, section, name_in in (
        ("batch_max", "batch", "max"),
        ("batch_wait_s", "batch", "wait_s"),
        ("variability", "variability", "kind"),
        ("cv", "variability", "cv"),
    ):
        if key in options:
            sections[section][name_in] = options.pop(key)
    return Node(
        name=name,
        device=device or Flops(),
        batch=Batch(**sections["batch"]),
        variability=Variability(**sections["variability"]),
        **options,
    )


def link(name: str, bandwidth: float, latency: float = 0.0, **options: Any) -> Link:
    options["duplex"] = Duplex(options.get("duplex", "full"))
    return Link(name=name, bandwidth_byte_s=bandwidth, latency_s=latency, **options)


def cluster(
    nodes: Sequence[Node],
    links: Sequence[Link] = (),
    routes: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> Cluster:
    """A cluster whose routes cross every link forward, unless its name starts with ``-``."""
    hops = {
        ends: tuple(Hop(name.removeprefix("-"), not name.startswith("-")) for name in names)
        for ends, names in (routes or {}).items()
    }
    network = Network(links={one.name: one for one in links}, routes=hops)
    return Cluster(nodes={one.name: one for one in nodes}, network=network)


def fault(kind: str, target: str, at_s: float, duration_s: float, **more: float | None) -> Fault:
    """A scheduled fault."""
    options: dict[str, Any] = {"link" if kind in OF_LINKS else "node": target, **more}
    return Fault(at_s=at_s, duration_s=duration_s, kind=FaultKind(kind), **options)


def faulty(where: Cluster, *faults: Fault) -> Cluster:
    """A cluster with these faults."""
    return replace(where, faults=faults)


def plan(
    tasks: Sequence[Task],
    transfers: Sequence[tuple[str | None, str | None, float]] = (),
    **ends: Any,
) -> Plan:
    branch = Branch(
        tasks=tuple(tasks),
        transfers=tuple(Transfer(source=a, target=b, bytes=size) for a, b, size in transfers),
    )
    return Plan(strategy="manual", precision="fp32", branches=(branch,), **ends)


def task(name: str, node_name: str, flop: float, **options: Any) -> Task:
    return Task(name=name, node=node_name, flop=flop, **options)


def at(*times: float, **options: Any) -> Traffic:
    """Requests at the given times."""
    return Trace(requests=len(times), times_s=times, **options)


def spans(recording: Recording) -> list[tuple[int, str, float, float]]:
    """(request, name, start, end) of every span, in order of start and then of end."""
    rows = [(s.request, s.task, s.start_s, s.end_s) for s in recording.spans]
    return sorted(rows, key=lambda row: (row[2], row[3], row[0], row[1]))


def play(what: Plan, where: Cluster, traffic: Traffic, seed: int = 0, **options: Any) -> Recording:
    return simulate(what, where, traffic, seed=seed, **options)
