"""The orders that a schedule of faults gives, as lines of text.

``crash NODE`` and ``repair NODE``, ``freeze NODE`` and ``thaw NODE``, ``slow NODE SPEED`` and
``restore NODE``, ``cut LINK`` and ``mend LINK``, ``degrade LINK BANDWIDTH LATENCY LOSS`` and
``mend LINK``: speed and loss as shares, bandwidth in bytes per second or ``-`` for the link's own,
latency in seconds on top of the link's own. Names are the scenario's.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgesim.common.errors import InputError
from edgesim.hardware import Cluster, Fault, FaultKind

_ENDS = {
    FaultKind.CRASH: "repair",
    FaultKind.FREEZE: "thaw",
    FaultKind.SLOW: "restore",
    FaultKind.CUT: "mend",
    FaultKind.DEGRADE: "mend",
}


@dataclass(frozen=True, slots=True)
class Order:
    """One order.

    Attributes:
        at_s: when it is due, on the run's clock.
        text: of the order.
        undo: what puts right again what it broke; empty for one that puts right itself.
    """

    at_s: float
    text: str
    undo: str = ""


def orders_of(cluster: Cluster) -> tuple[Order, ...]:
    """Return the orders of a cluster's schedule, in order of time.

    Schedules of single nodes and links are in it; random failures are not, as nobody knows them.

    Raises:
        InputError: a name has a space in it, which would part the words of an order.
    """
    faults = list(cluster.faults)
    for name, node in cluster.nodes.items():
        faults += [
            Fault(at_s=one.at_s, duration_s=one.duration_s, kind=FaultKind.CRASH, node=name)
            for one in (node.faults.schedule if node.faults else ())
        ]
    for name, link in cluster.network.links.items():
        faults += [
            Fault(at_s=one.at_s, duration_s=one.duration_s, kind=FaultKind.CUT, link=name)
            for one in (link.faults.schedule if link.faults else ())
        ]
    found: list[Order] = []
    for fault in faults:
        if len(fault.target.split()) != 1:
            raise InputError(
                f"'{fault.target}': a node or link that fails on real nodes needs a name of one "
                "word"
            )
        end = f"{_ENDS[fault.kind]} {fault.target}"
        found += [Order(fault.at_s, _begin(fault), end), Order(fault.end_s, end)]
    # What ends at a moment ends before what begins then.
    return tuple(sorted(found, key=lambda order: (order.at_s, bool(order.undo))))


def _begin(fault: Fault) -> str:
    told = f"{fault.kind} {fault.target}"
    if fault.kind is FaultKind.SLOW:
        return f"{told} {fault.speed:g}"
    if fault.kind is FaultKind.DEGRADE:
        bandwidth = "-" if fault.bandwidth_byte_s is None else f"{fault.bandwidth_byte_s:.0f}"
        return f"{told} {bandwidth} {fault.latency_s:g} {fault.loss:g}"
    return told
