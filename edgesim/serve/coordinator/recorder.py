"""Answers of real nodes, recorded in the columns of a simulation."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgesim.hardware import Cluster
from edgesim.serve.coordinator.asking import Failure, RequestResult
from edgesim.serve.coordinator.peer import Peer
from edgesim.serve.coordinator.replies import Reply
from edgesim.serve.coordinator.work import Piece, Work
from edgesim.simulate import LinkTotals, NodeTotals, Outcome, Recording, Span
from edgesim.simulate.recording import FEATURES, transfer_name

MOST_REASONS = 100
"""Reasons that are told apart in a run: what a node sends may be part of them."""
OTHER_REASONS = "other reasons"
NOT_MEASURED = math.nan
"""Energy: no meter is read."""


@dataclass(slots=True)
class Calls:
    """Calls of one model in a run.

    Attributes:
        replies: number of valid replies.
        failures: reasons for calls without one, with counts.
    """

    replies: int = 0
    failures: Counter[str] = field(default_factory=Counter)


class Recorder:
    """Records one run.

    Nodes report durations, not times: the rest of a call, beyond queue and computing, is transfer,
    and half of it is the request's. The critical path of a request is that of
    the part whose end let the fusion begin. Its queue has the waits of what was answered: what the
    request was sent late, failed attempts, and pauses between them. The wait for a part that was
    given up is a call of which nothing else is known: transfer. The simulation does the same
    (`edgesim.simulate.attempts.TrackedRequest.waited`).

    Attributes:
        ended: number of requests that have ended.
        reasons: reasons for requests without an answer, with counts.
        calls: calls by name of the part, or of the fusion.
        answered: number of requests by which parts answered.
        right: number of correct answers, by which parts answered.
    """

    def __init__(self, work: Work, cluster: Cluster, requests: int, trace_requests: int) -> None:
        """Prepare for ``requests``, of which the first ``trace_requests`` leave spans."""
        self.ended = 0
        self.reasons: Counter[str] = Counter()
        self.calls = {piece.name: Calls() for piece in work.pieces}
        self.answered: Counter[tuple[bool, ...]] = Counter()
        self.right: Counter[tuple[bool, ...]] = Counter()
        self._lost: Counter[str] = Counter()
        self._work = work
        self._cluster = cluster
        self._trace_requests = trace_requests
        self._begun = 0
        self._arrival_s = np.zeros(requests)
        self._latency_s = np.full(requests, np.nan)
        self._path_s = {
            part: np.zeros(requests) for part in ("queue", "compute", "transfer", "fusion")
        }
        self._outcome = np.zeros(requests, dtype=np.uint8)
        self._source = np.zeros(requests if work.sources else 0, dtype=np.uint32)
        self._traced: list[tuple[int, Piece, Reply]] = []
        self._busy_s: defaultdict[str, float] = defaultdict(float)
        self._executions: defaultdict[str, float] = defaultdict(float)
        self._sent_bytes: Counter[str] = Counter()
        self._received_bytes: Counter[str] = Counter()
        self._max_waiting: Counter[str] = Counter()

    def begin(self, number: int, due_s: float, source: int = 0) -> None:
        """Record the arrival time of a request, and the number of its source."""
        self._arrival_s[number] = due_s
        if self._work.sources:
            self._source[number] = source
        self._begun = max(self._begun, number + 1)

    def end(self, number: int, found: RequestResult, end_s: float, right: int | None) -> None:
        """Record the result of a request.

        Args:
            number: number of the request.
            found: its result.
            end_s: time of the answer.
            right: number of correct answers; None where labels are not known.
        """
        self.ended += 1
        self._count_calls(number, found)
        fusion = found.fusion
        if not isinstance(fusion, Reply):
            self._outcome[number] = Outcome.DROPPED if found.dropped else Outcome.FAILED
            _count(self.reasons, found.reason or "")
            return
        answered = found.parts_answered
        self._outcome[number] = Outcome.COMPLETED if all(answered) else Outcome.DEGRADED
        self.answered[answered] += 1
        for one in found.parts:
            if isinstance(one, Failure):
                _count(self._lost, one.reason)
        if right is not None:
            self.right[answered] += right
        due_s = self._arrival_s[number]
        last = max(found.parts, key=_end_s)
        queue_s = (last.asked_s - due_s) + (fusion.sent_s - fusion.asked_s) + fusion.queue_s
        if isinstance(last, Reply):
            compute_s = last.compute_s
            queue_s += last.sent_s - last.asked_s + last.queue_s
        else:
            compute_s = 0.0
        latency_s = end_s - due_s
        self._latency_s[number] = latency_s
        path = self._path_s
        path["queue"][number] = queue_s
        path["compute"][number] = compute_s
        path["fusion"][number] = fusion.compute_s
        path["transfer"][number] = latency_s - queue_s - compute_s - fusion.compute_s

    def _count_calls(self, number: int, found: RequestResult) -> None:
        """Add a request's work of nodes and bytes of links."""
        pairs = [*zip(self._work.parts, found.parts, strict=True)]
        if found.fusion is not None:
            pairs.append((self._work.fusion, found.fusion))
        for piece, reply in pairs:
            calls = self.calls[piece.name]
            if isinstance(reply, Failure):
                _count(calls.failures, reply.reason)
                continue
            calls.replies += 1
            self._busy_s[piece.node] += reply.compute_s / reply.batch
            self._executions[piece.node] += 1 / reply.batch
            self._sent_bytes[piece.node] += reply.sent_bytes
            self._received_bytes[piece.node] += reply.received_bytes
            if reply.waiting > self._max_waiting[piece.node]:
                self._max_waiting[piece.node] = reply.waiting
            if number < self._trace_requests:
                self._traced.append((number, piece, reply))

    def _link_bytes(self, peers: Mapping[str, Peer]) -> Counter[tuple[str, bool]]:
        """Return the bytes of every link and direction."""
        home, route = self._work.home, self._cluster.network.route
        found: Counter[tuple[str, bool]] = Counter()
        for node, peer in peers.items():
            for hop in route(home, node) or ():
                found[hop.link, hop.forward] += self._sent_bytes[node] + peer.wasted.sent_bytes
            for hop in route(node, home) or ():
                received_bytes = self._received_bytes[node] + peer.wasted.received_bytes
                found[hop.link, hop.forward] += received_bytes
        return found

    def _spans_of(self, number: int, piece: Piece, reply: Reply) -> list[Span]:
        """Return the transfer to the node, the execution, and the transfer back."""
        name, node, home = piece.name, piece.node, self._work.home
        one_way_s = (reply.received_s - reply.sent_s - reply.queue_s - reply.compute_s) / 2
        arrived_s = reply.sent_s + one_way_s
        done_s = reply.received_s - one_way_s
        fuses = piece == self._work.fusion
        kind, after = ("fusion", None) if fuses else ("compute", self._work.fusion.name)
        sent = transfer_name(FEATURES if fuses else None, name)
        received = transfer_name(name, after)
        begun_s, joules = done_s - reply.compute_s, NOT_MEASURED
        return [
            Span(number, sent, home, node, "transfer", reply.sent_s, arrived_s, joules, None, name),
            Span(number, name, node, "", kind, begun_s, done_s, joules),
            Span(
                number, received, node, home, "transfer", done_s, reply.received_s, joules, name,
                after,
            ),
        ]  # fmt: skip

    def recording(self, peers: Mapping[str, Peer], end_s: float, *, partial: bool) -> Recording:
        """Return the recording.

        Args:
            peers: nodes by name.
            end_s: time at which the run ended.
            partial: it was interrupted; requests that were never sent are left out.
        """
        count = self._begun if partial else len(self._arrival_s)
        parts = [piece.name for piece in self._work.parts]
        carried = self._link_bytes(peers)
        # Made only now: during the run, the processor is needed for requests.
        spans = itertools.chain.from_iterable(itertools.starmap(self._spans_of, self._traced))
        return Recording(
            arrival_s=self._arrival_s[:count],
            latency_s=self._latency_s[:count],
            breakdown_s={part: column[:count] for part, column in self._path_s.items()},
            outcome=self._outcome[:count],
            missing={
                frozenset(name for name, has in zip(parts, answered, strict=True) if not has): many
                for answered, many in self.answered.items()
                if not all(answered)
            },
            lost=dict(self._lost),
            spans=tuple(sorted(spans, key=lambda span: span.end_s)),
            nodes={name: self._node(peers.get(name), name, end_s) for name in self._cluster.nodes},
            links={name: self._link(name, carried, end_s) for name in self._cluster.network.links},
            simulated_s=end_s,
            partial=partial,
            sources=self._work.sources,
            source=self._source[:count],
        )

    def _node(self, peer: Peer | None, name: str, end_s: float) -> NodeTotals:
        return NodeTotals(
            # A node computes in one thread; the sum of what it reports may still be more.
            busy_s=min(self._busy_s[name], end_s),
            sending_s=NOT_MEASURED,
            receiving_s=NOT_MEASURED,
            down_s=peer.down_s(end_s) if peer is not None else 0.0,
            energy_j=NOT_MEASURED,
            max_queue=self._max_waiting[name],
            executions=round(self._executions[name]),
        )

    def _link(self, name: str, carried: Mapping[tuple[str, bool], int], end_s: float) -> LinkTotals:
        directions = [carried.get((name, forward), 0) for forward in (True, False)]
        whole = self._cluster.network.links[name].bandwidth_byte_s * end_s
        return LinkTotals(
            bytes=float(sum(directions)),
            energy_j=NOT_MEASURED,
            utilization=max(directions) / whole if whole > 0.0 else 0.0,
        )


def right_answers(
    logits: NDArray[np.float32] | None, labels: NDArray[np.int64] | None
) -> int | None:
    """Return how many answers (samples, classes) are correct; None without labels."""
    if logits is None or labels is None:
        return None
    return int((logits.argmax(1) == labels).sum())


def _end_s(one: Reply | Failure) -> float:
    return one.received_s if isinstance(one, Reply) else one.given_up_s


def _count(reasons: Counter[str], reason: str) -> None:
    known = reason in reasons or len(reasons) < MOST_REASONS
    reasons[reason if known else OTHER_REASONS] += 1
