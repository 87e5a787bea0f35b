"""The record of one run, simulated or real: columns by request, totals by node and link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PARTS = ("queue", "compute", "transfer", "fusion")
"""Parts of the time of a request along its critical path."""


class Outcome(IntEnum):
    """How a request ended."""

    UNFINISHED = 0
    """Still in the system when the run was cut short."""
    COMPLETED = 1
    DEGRADED = 2
    """Answered, without at least one optional part."""
    FAILED = 3
    DROPPED = 4
    """A queue dropped it, or refused it for the last time."""


class Span(NamedTuple):
    """One task or transfer of one request.

    ``node`` is where a task ran, or which node sent; ``target`` is the receiving node of a
    transfer and empty for a task. ``kind`` is ``compute``, ``transfer`` or ``fusion``. ``joules``
    of a task is the node's draw while it ran (a batch is shared equally among its members);
    of a transfer what the links and the two radios or ports drew on top of idle. ``from_task`` and
    ``to_task`` are the tasks at the ends of a transfer; None for a request's input, its answer, and
    where it is not known. ``task`` of a transfer is for people: `transfer_name`.
    """

    request: int
    task: str
    node: str
    target: str
    kind: str
    start_s: float
    end_s: float
    joules: float
    from_task: str | None = None
    to_task: str | None = None


FEATURES = "features"
"""Source, in its name, of the message with which a real coordinator sends all features."""


def transfer_name(source: str | None, target: str | None) -> str:
    """Return what a transfer between two tasks is called; None is the input, or the answer."""
    return f"{source or 'input'}→{target or 'output'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTotals:
    """Totals of one node over the run.

    Attributes:
        busy_s: integral of the busy share of its cores, in seconds of the whole node.
        sending_s: time with at least one flow leaving.
        receiving_s: time with at least one flow arriving.
        down_s: time out of service.
        off_s: part of ``down_s`` without power.
        energy_j: integral of its power over the run.
        max_queue: most tasks that waited at once.
        executions: batches that it ran.
        dropped: tasks that its queue dropped.
        energy_by_part_j: ``energy_j`` by part of the device, where it has parts.
    """

    busy_s: float
    sending_s: float
    receiving_s: float
    down_s: float
    energy_j: float
    max_queue: int
    executions: int
    off_s: float = 0.0
    dropped: int = 0
    energy_by_part_j: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTotals:
    """Totals of one link over the run; ``utilization`` is of its busier direction."""

    bytes: float
    energy_j: float
    utilization: float


class FaultEvent(NamedTuple):
    """An event of a node, a link or a part that failed or recovered.

    Attributes:
        time_s: time of the event.
        target: name of the node, link or part.
        what: ``crash``, ``repair``, ``freeze``, ``thaw``, ``slow``, ``restore``, ``cut``,
            ``mend``, ``degrade``, ``throttle``, ``release``, ``out of memory``, ``battery empty``,
            ``charged``, ``up`` (it answers again), ``taken out``, ``taken in`` (by checks),
            ``reassigned``.
        detail: further text; may be empty.
    """

    time_s: float
    target: str
    what: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFaults:
    """Faults of one node or link.

    Attributes:
        failures: number of times that it went down (a node), or was cut (a link).
        down_s: seconds that it did not answer: crashed, frozen, starting again; of a link, cut.
        slow_s: seconds that it was not down and not at full speed; of a link, degraded.
        off_s: seconds without power, of a node.
        hottest_c: highest temperature of its device, in °C; None without a thermal model.
        charge_j: joules left in its battery at the end; None without one.
    """

    failures: int = 0
    down_s: float = 0.0
    slow_s: float = 0.0
    off_s: float = 0.0
    hottest_c: float | None = None
    charge_j: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRecord:
    """Faults of a run.

    Attributes:
        events: events in order of time.
        nodes: faults of every node of the cluster, by name.
        links: faults of the links that failed, by name.
        answered: number of answered requests by the strongest recovery measure of one of their
            parts: ``first try``, ``retry``, ``hedge``, ``standby``, ``reassigned``.
        reasons: number of failed requests, by the reason.
        used_j: joules of executions whose results an answer used.
        lost_j: joules of all others: cut off, superseded, or of requests that failed.
        attempts: number of attempts at parts.
        recover_s: for each time that something went down (not slow), seconds until the first whole
            answer to a request that arrived after it; NaN where there was none.
    """

    events: tuple[FaultEvent, ...] = ()
    nodes: Mapping[str, TargetFaults] = field(default_factory=dict)
    links: Mapping[str, TargetFaults] = field(default_factory=dict)
    answered: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    used_j: float = 0.0
    lost_j: float = 0.0
    attempts: int = 0
    recover_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Everything that one run measured.

    Attributes:
        arrival_s: (requests,) intended arrival times, ascending by request index.
        latency_s: (requests,) from arrival to answer; NaN where there was none.
        breakdown_s: ``queue``, ``compute``, ``transfer``, ``fusion``, each (requests,): where the
            time went along the request's critical path; they sum to the latency.
        outcome: (requests,) of `Outcome`.
        missing: degraded requests by the tasks whose results they went without; may be empty where
            the parts that answered are not known.
        lost: number of degraded requests by what they went without: part, its node, and why.
        spans: tasks and transfers of the first requests, in order of their end.
        nodes: totals by node name.
        links: totals by link name.
        simulated_s: seconds from the start to the last event.
        partial: True where the run was interrupted.
        faults: record of faults and recovery; None where nothing can fail, or it is not known.
        dropped: dropped requests by the reason.
        sources: nodes where requests entered, where they are several.
        source: (requests,) number of the source of each, where they are several; else empty.
    """

    arrival_s: NDArray[np.float64]
    latency_s: NDArray[np.float64]
    breakdown_s: Mapping[str, NDArray[np.float64]]
    outcome: NDArray[np.uint8]
    spans: tuple[Span, ...]
    nodes: Mapping[str, NodeTotals]
    links: Mapping[str, LinkTotals]
    simulated_s: float
    partial: bool = False
    missing: Mapping[frozenset[str], int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    faults: FaultRecord | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    source: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, dtype=np.uint32))

    def answered_s(self, warmup: int = 0) -> NDArray[np.float64]:
        """Return the latencies of the answered requests but the first ``warmup`` ones."""
        values = self.latency_s[warmup:]
        return values[np.isfinite(values)]
