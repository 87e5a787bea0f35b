"""Recording of a run: latencies and spans as it goes, energy and utilization at its end."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from math import nan

import numpy as np
from numpy.typing import NDArray

from edgesim.hardware import Cluster
from edgesim.simulate.flows import Flows
from edgesim.simulate.recording import (
    PARTS,
    FaultRecord,
    LinkTotals,
    NodeTotals,
    Outcome,
    Recording,
    Span,
    TargetFaults,
    transfer_name,
)
from edgesim.simulate.routes import Port, port_watts
from edgesim.simulate.server import Server
from edgesim.simulate.work import Parcel, Path, ReadyTransfer, Request, Work

# Looking a member up in an enumeration costs more than the rest of the line that stores it.
_COMPLETED = int(Outcome.COMPLETED)
_DEGRADED = int(Outcome.DEGRADED)


class Recorder:
    """Holds the columns of a run, one entry for each request, and the spans of the first requests.

    Args:
        cluster: nodes and network.
        requests: number of requests that will be offered.
        trace_requests: number of leading requests whose spans are recorded.
        sources: nodes where requests enter, where they are several.
    """

    def __init__(
        self, cluster: Cluster, requests: int, trace_requests: int, sources: tuple[str, ...] = ()
    ) -> None:
        self._cluster = cluster
        self._sources = sources if len(sources) > 1 else ()
        self.source = array("I", bytes(4 * requests if self._sources else 0))
        self._trace_requests = trace_requests
        self.arrival_s: array[float] | NDArray[np.float64] = array("d", bytes(8 * requests))
        self.latency_s = array("d", [float("nan")]) * requests
        self.outcome = bytearray(requests)
        self._path_s = tuple(array("d", bytes(8 * requests)) for _ in PARTS)
        self._missing: dict[frozenset[str], int] = {}
        self._lost: dict[str, int] = {}
        self._spans: list[Span] = []

    def task_ended(self, work: Work, start_s: float, end_s: float, joules: float) -> Path:
        """Record the span of a task; return its request's path up to the end of the task."""
        task = work.task
        queue_s, compute_s, transfer_s, fusion_s = work.path
        if task.message:
            # The wait for the processor that handles messages is part of the transfer.
            transfer_s += end_s - work.ready_s
        else:
            queue_s += start_s - work.ready_s
            if task.fusion:
                fusion_s += end_s - start_s
            else:
                compute_s += end_s - start_s
        if work.request.index < self._trace_requests:
            self._spans.append(
                Span(
                    work.request.index, task.name, task.server.node.name, "", task.span_kind,
                    start_s, end_s, joules,
                )
            )  # fmt: skip
        return (queue_s, compute_s, transfer_s, fusion_s)

    def last_task_ended(self, work: Work, start_s: float, end_s: float, joules: float) -> None:
        """Record a task that answers its request, which lacks nothing: `task_ended`, `answered`."""
        task, request = work.task, work.request
        index = request.index
        if not task.computes or index < self._trace_requests:
            self.answered(request, end_s, self.task_ended(work, start_s, end_s, joules))
            return
        queue, compute, transfer, fusion = self._path_s
        queue_s, compute_s, transfer_s, fusion_s = work.path
        self.latency_s[index] = end_s - request.arrival_s
        queue[index] = queue_s + (start_s - work.ready_s)
        compute[index] = compute_s + (end_s - start_s)
        if transfer_s:
            transfer[index] = transfer_s
        if fusion_s:
            fusion[index] = fusion_s
        self.outcome[index] = _COMPLETED

    def transfer_ended(self, parcel: Parcel, now: float) -> Path:
        """Record the span of a transfer; return its request's path up to now."""
        queue_s, compute_s, transfer_s, fusion_s = parcel.path
        transfer, index = parcel.transfer, parcel.request.index
        if index < self._trace_requests:
            ends = transfer.task_names()
            self._spans.append(
                Span(
                    index, transfer_name(*ends), transfer.source_node, transfer.target_node,
                    "transfer", parcel.sent_s, now, _transfer_joules(transfer, self._cluster),
                    *ends,
                )
            )  # fmt: skip
        return (queue_s, compute_s, transfer_s + (now - parcel.sent_s), fusion_s)

    def answered(self, request: Request, now: float, path: Path) -> None:
        """Record the latency of a request, its parts, and what the answer lacks."""
        index = request.index
        self.latency_s[index] = now - request.arrival_s
        # The columns are zero already, and many requests have only the first two parts.
        queue, compute, transfer, fusion = self._path_s
        queue[index], compute[index], transfer_s, fusion_s = path
        if transfer_s:
            transfer[index] = transfer_s
        if fusion_s:
            fusion[index] = fusion_s
        if request.missing is None:
            self.outcome[index] = _COMPLETED
        else:
            self.outcome[index] = _DEGRADED
            missing = request.missing.results()
            self._missing[missing] = self._missing.get(missing, 0) + 1
            for part, why in request.missing.reasons.items():
                sentence = f"{part}: {why}"
                self._lost[sentence] = self._lost.get(sentence, 0) + 1

    def recover_s(self, failures_s: Iterable[float], offered: int) -> tuple[float, ...]:
        """Return the time from each failure to the next whole answer; NaN where none came.

        The answer counts if its request arrived after the failure.
        """
        arrival_s = np.frombuffer(self.arrival_s, dtype=np.float64)[:offered]
        latency_s = np.frombuffer(self.latency_s, dtype=np.float64)[:offered]
        outcome = np.frombuffer(self.outcome, dtype=np.uint8)[:offered]
        ends_s = np.where(outcome == int(Outcome.COMPLETED), arrival_s + latency_s, np.inf)
        first_s = np.minimum.accumulate(ends_s[::-1])[::-1]
        found = []
        for failure_s in failures_s:
            index = int(np.searchsorted(arrival_s, failure_s, side="left"))
            known = index < len(first_s) and np.isfinite(first_s[index])
            found.append(float(first_s[index] - failure_s) if known else nan)
        return tuple(found)

    def recording(
        self,
        offered: int,
        now: float,
        servers: Mapping[str, Server],
        ports: Mapping[str, Port],
        flows: Flows,
        *,
        partial: bool,
        faults: FaultRecord | None,
        dropped: Mapping[str, int],
    ) -> Recording:
        """Return the recording of a run that ends now, with ``offered`` requests."""
        columns = [np.frombuffer(column, dtype=np.float64)[:offered] for column in self._path_s]
        return Recording(
            arrival_s=np.frombuffer(self.arrival_s, dtype=np.float64)[:offered],
            latency_s=np.frombuffer(self.latency_s, dtype=np.float64)[:offered],
            breakdown_s=dict(zip(PARTS, columns, strict=True)),
            outcome=np.frombuffer(self.outcome, dtype=np.uint8)[:offered],
            source=np.frombuffer(self.source, dtype=np.uint32)[:offered],
            sources=self._sources,
            missing=self._missing,
            lost=self._lost,
            spans=tuple(self._spans),
            nodes=_node_totals(servers, ports, {} if faults is None else faults.nodes, now),
            links=_link_totals(self._cluster, flows, now),
            simulated_s=now,
            partial=partial,
            faults=faults,
            dropped=dict(dropped),
        )


def _node_totals(
    servers: Mapping[str, Server],
    ports: Mapping[str, Port],
    faults: Mapping[str, TargetFaults],
    duration_s: float,
) -> dict[str, NodeTotals]:
    """Return the totals of each node after ``duration_s``.

    Joules = idle power over the time that it has power, plus what running work drew above idle,
    plus what sending and receiving draw above idle while at least one flow leaves or enters. The
    idle power of a machine that nodes share is drawn once, in equal parts.
    """
    totals = {}
    for name, server in servers.items():
        port, fault = ports[name], faults.get(name, TargetFaults())
        sending_w, receiving_w = port_watts(server.node)
        ports_j = sending_w * port.sending.total_s + receiving_w * port.receiving.total_s
        idle_s = (duration_s - fault.off_s) * server.idle_share
        energy = server.node.device.power.idle_w * idle_s + server.joules_above_idle + ports_j
        totals[name] = NodeTotals(
            busy_s=server.busy_s,
            sending_s=port.sending.total_s,
            receiving_s=port.receiving.total_s,
            down_s=fault.down_s,
            off_s=fault.off_s,
            energy_j=energy,
            energy_by_part_j=server.joules_by_part(idle_s, ports_j),
            max_queue=server.max_queue,
            executions=server.executions,
            dropped=server.dropped,
        )
    return totals


def _link_totals(cluster: Cluster, flows: Flows, duration_s: float) -> dict[str, LinkTotals]:
    """Return the totals of each link after ``duration_s``.

    Joules = constant power over the whole time plus joules for each byte. Utilization is carried
    bytes over what could have been carried, of the busier direction.
    """
    totals = {}
    for name, link in cluster.network.links.items():
        directions = [flows.channels.get((name, forward)) for forward in (True, False)]
        carried = [channel.bytes if channel else 0.0 for channel in directions]
        whole = link.bandwidth_byte_s * duration_s
        totals[name] = LinkTotals(
            bytes=sum(carried),
            energy_j=link.power_w * duration_s + link.energy_per_byte_j * sum(carried),
            utilization=max(carried) / whole if whole > 0.0 else 0.0,
        )
    return totals


def _transfer_joules(transfer: ReadyTransfer, cluster: Cluster) -> float:
    """Return what the links draw for the bytes of one transfer."""
    hops = cluster.network.route(transfer.source_node, transfer.target_node) or ()
    links = cluster.network.links
    return sum(links[hop.link].energy_per_byte_j for hop in hops) * transfer.size
