"""Cost of messages: processor time of a node and of a coordinator, and delay on no processor.

The real coordinator sends requests to a node that computes next to nothing, for one to four parts
with images of several sizes. The processor time of both processes is read; least squares over all
requests give

    node        = per_message x messages + per_byte x bytes
    coordinator = per_request + per_message x messages + per_byte x bytes

for one request, both multiplied by the effect of idle periods. The node's own executions are left
out by the time that it reports (``processor_ns``); waking its computing thread, and handing over,
is part of the messages. What remains of a request's time after all of this is ``delay``, in equal
shares for its messages.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgesim.calibrate.profile.child import NODE, Child
from edgesim.calibrate.profile.cooling import LEAST_S, MOST_S, MOST_SHARE
from edgesim.calibrate.profile.served import Progress
from edgesim.calibrate.rows import Array
from edgesim.common.errors import EdgesimError
from edgesim.hardware import Asking, Cluster, Cooling, Messaging, Network, Node
from edgesim.hardware.processor import Processor
from edgesim.serve.coordinator.asking import RequestResult
from edgesim.serve.coordinator.images import Images
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.replication import run_replication
from edgesim.serve.coordinator.replies import Reply
from edgesim.serve.coordinator.work import Piece, Work
from edgesim.simulate.arrivals import Closed, Periodic
from edgesim.simulate.recovery import Health, Retry

_WARM_UP = 5
_AT_ONCE = 4
_LEAST_RATES = 3
_USUAL_ERROR = 0.05
"""Relative error of a row beyond which it weighs less."""
_POLICY = Policy(deadline_s=30.0, retry=Retry(attempts=1), health=Health(interval_s=30.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Requests of one shape.

    Attributes:
        parts: number of parts that a request runs.
        side: side of its image, in pixels.
        rate_per_s: planned rate; infinity for requests as fast as they are answered.
        rest_s: measured time from one request to the next, in seconds.
        bytes: size of all messages of a request.
        node_s: processor time of the node for a request without executions, in seconds.
        coordinator_s: processor time of the coordinator for a request, in seconds.
        compute_s: time of the executions on a request's critical path, in seconds.
        wall_s: time from the first message to the last answer, in seconds.
    """

    parts: int
    side: int
    rate_per_s: float
    rest_s: float
    bytes: float
    node_s: float
    coordinator_s: float
    compute_s: float
    wall_s: float

    @property
    def messages(self) -> int:
        """Messages of a request: to and from every part and the fusion."""
        return 2 * (self.parts + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Fitted cost of messages, and how well it explains the measurement.

    Attributes:
        messaging: fitted costs.
        node_error: median error of the node's processor time of a request, as a share.
        coordinator_error: median error of the coordinator's processor time, as a share.
        node_r2: share of the node's variance that the costs explain.
        coordinator_r2: share of the coordinator's variance that the costs explain.
        left_s: time on no processor of a request with one part and the smallest image; negative
            where both processes work at once.
        rows: measured requests.
    """

    messaging: Messaging
    node_error: float
    coordinator_error: float
    node_r2: float
    coordinator_r2: float
    left_s: float
    rows: tuple[Row, ...]


def measure(
    child: Child,
    pieces: Sequence[Piece],
    fusion: Piece,
    side: int,
    *,
    requests: int,
    rate_per_s: float,
) -> Row:
    """Send requests for some parts at even intervals, and read what they cost.

    At an infinite rate some requests are always under way, and nothing is idle.

    Raises:
        EdgesimError: a request was not answered.
    """
    work = Work(
        parts=tuple(pieces),
        fusion=fusion,
        addresses={NODE: child.address},
        home=NODE,
        shape=(1, side, side),
        manifest=None,
    )
    pixels = np.zeros((8, 1, side, side), dtype=np.float32)
    many = _WARM_UP + requests
    traffic = (
        Closed(requests=many, concurrency=_AT_ONCE)
        if math.isinf(rate_per_s)
        else Periodic(requests=many, rate_per_s=rate_per_s)
    )
    device = Processor(name=NODE, peak_flop_s={"fp32": 1.0})
    cluster = Cluster(
        nodes={NODE: Node(name=NODE, device=device)}, network=Network(links={}, routes={})
    )
    marks: list[tuple[float, float, float]] = []
    walls: list[float] = []
    failures: list[str] = []
    computed: list[list[float]] = []
    sent = ended = 0
    worked_s = 0.0

    def record(number: int, found: RequestResult) -> None:
        nonlocal sent, ended, worked_s
        replies = [one for one in (*found.parts, found.fusion) if isinstance(one, Reply)]
        if len(replies) <= len(pieces):
            # Without all answers, something else than the messages was measured.
            failures.append(found.reason or "a part did not answer")
        elif ended >= _WARM_UP:
            computed.append([one.compute_s for one in replies])
            worked_s += sum(one.processor_s for one in replies)
            sent += sum(one.sent_bytes + one.received_bytes for one in replies)
            walls.append(replies[-1].received_s - replies[0].asked_s)
        ended += 1
        if ended in (_WARM_UP, many):
            marks.append((time.process_time(), child.processor_s(), time.monotonic()))

    run_replication(
        work, cluster, traffic, Images(pixels, None), child.client, _POLICY,
        seed=0, trace_requests=0, seen=record,
    )  # fmt: skip
    if failures:
        raise EdgesimError(f"the node of the profile failed: {failures[0]}")
    (coordinator_begun_s, node_begun_s, begun_s), (coordinator_end_s, node_end_s, end_s) = marks
    # Medians: time in which an execution lost its processor is no cost of messages.
    compute_s = np.median(computed, axis=0)
    return Row(
        parts=len(pieces),
        side=side,
        rate_per_s=rate_per_s,
        rest_s=(end_s - begun_s) / requests,
        bytes=sent / requests,
        node_s=max(0.0, (node_end_s - node_begun_s) - worked_s) / requests,
        coordinator_s=(coordinator_end_s - coordinator_begun_s) / requests,
        compute_s=float(compute_s[:-1].max() + compute_s[-1]),
        wall_s=float(np.median(walls)),
    )


def fit(rows: Sequence[Row]) -> Fit:
    """Return the costs that fit some rows best; each of at least three shapes.

    The first message of a request comes after an idle period, the others follow each other; the
    effect of the idle period is fitted to all rows, whose rates differ. The squares of relative
    errors are minimised, and no cost is negative (non-negative least squares).
    """
    node_s = np.array([row.node_s for row in rows])
    coordinator_s = np.array([row.coordinator_s for row in rows])
    cooling = _cooling(rows, node_s, coordinator_s)
    warm, on_node, on_coordinator = _columns(rows, cooling)
    node, node_fit_s = _least(on_node, node_s)
    (request_s, message_s, byte_s), coordinator_fit_s = _least(on_coordinator, coordinator_s)
    # The requests that are most like one alone on a real node, at all finite rates.
    first = min((row.parts, row.side) for row in rows)
    alone = [
        index
        for index, row in enumerate(rows)
        if (row.parts, row.side) == first and not math.isinf(row.rate_per_s)
    ]
    walls_s = np.array([rows[index].wall_s for index in alone])
    computes_s = np.array([rows[index].compute_s for index in alone])
    sending_s = coordinator_fit_s[alone] - request_s * warm[alone]
    left_s = float(np.median(walls_s - computes_s - node_fit_s[alone] - sending_s))
    many = rows[alone[0]].messages
    return Fit(
        messaging=Messaging(
            per_message_s=node[0],
            per_byte_s=node[1],
            delay_s=max(0.0, left_s / many),
            asking=Asking(per_request_s=request_s, per_message_s=message_s, per_byte_s=byte_s),
            cooling=cooling,
        ),
        node_error=_median_error(node_fit_s, node_s),
        coordinator_error=_median_error(coordinator_fit_s, coordinator_s),
        node_r2=_explained(node_fit_s, node_s),
        coordinator_r2=_explained(coordinator_fit_s, coordinator_s),
        left_s=left_s,
        rows=tuple(rows),
    )


def _columns(rows: Sequence[Row], cooling: Cooling) -> tuple[Array, Array, Array]:
    """Return the mean idle factor of each row's messages, and the columns of both regressions.

    The first message of a request follows an idle period since the end of the last request. Before
    the others the idle period is an equal part of the request's time; where requests are always
    under way, there is none.
    """
    warm = []
    for row in rows:
        if math.isinf(row.rate_per_s):
            warm.append(1.0)
            continue
        first = cooling.factor(max(0.0, row.rest_s - row.wall_s))
        others = cooling.factor(row.wall_s / row.messages)
        warm.append((first + (row.messages - 1) * others) / row.messages)
    factors = np.array(warm)
    messages = np.array([row.messages for row in rows]) * factors
    size = np.array([row.bytes for row in rows]) * factors
    return factors, np.stack([messages, size], 1), np.stack([factors, messages, size], 1)


def _cooling(rows: Sequence[Row], node_s: Array, coordinator_s: Array) -> Cooling:
    """Return the effect of idle periods on both processes; none where the rates are too few."""
    from scipy.optimize import minimize

    if len({row.rate_per_s for row in rows}) < _LEAST_RATES:
        return Cooling()

    def cooling_of(found: Array) -> Cooling:
        return Cooling(share=float(np.exp(found[0])), time_s=float(np.exp(found[1])))

    def loss(found: Array) -> float:
        _, on_node, on_coordinator = _columns(rows, cooling_of(found))
        total = 0.0
        for columns, target in ((on_node, node_s), (on_coordinator, coordinator_s)):
            errors = _least(columns, target)[1] / np.maximum(target, 1e-9) - 1.0
            total += float(np.sqrt(1.0 + (errors / _USUAL_ERROR) ** 2).sum())
        return total

    bounds = [(np.log(1e-3), np.log(MOST_SHARE)), (np.log(LEAST_S), np.log(MOST_S))]
    solutions = [
        minimize(loss, np.log([share, time_s]), method="Nelder-Mead", bounds=bounds)
        for share in (0.1, 2.0)
        for time_s in (3e-3, 3e-2)
    ]
    return cooling_of(min(solutions, key=lambda one: float(one.fun)).x)


def _least(columns: Array, target: Array) -> tuple[list[float], Array]:
    """Return the non-negative factors of the columns, and the values that they predict."""
    from scipy.optimize import nnls

    scale = columns.max(axis=0)
    weight = 1.0 / np.maximum(target, 1e-9)
    found, _ = nnls(columns / scale * weight[:, None], target * weight)
    factors = found / scale
    return [float(one) for one in factors], columns @ factors


def _median_error(predicted: Array, measured: Array) -> float:
    return float(np.median(np.abs(predicted / np.maximum(measured, 1e-9) - 1.0)))


def _explained(predicted: Array, measured: Array) -> float:
    around, left = measured - measured.mean(), predicted - measured
    whole = float(around @ around)
    return 1.0 - float(left @ left) / whole if whole > 0.0 else 1.0


def rounds(
    child: Child,
    artifact: Path,
    numbers: dict[int, list[int]],
    *,
    shapes: Sequence[tuple[int, int, float]],
    repeats: int,
    requests: int,
    progress: Progress,
) -> list[Row]:
    """Measure shapes of request in rounds; return the median of the rounds for each shape.

    Args:
        child: node that serves the null artifact.
        artifact: folder of the null artifact.
        numbers: numbers of its parts, by side of the image.
        shapes: parts, side of the image in pixels, and rate per second of each shape.
        repeats: number of rounds.
        requests: requests of a shape in a round.
        progress: called with what is measured and how far it is.
    """
    from partition import read_manifest

    manifest = read_manifest(artifact)

    def piece(name: str) -> Piece:
        entry = manifest.models[name]
        return Piece.of(name, NODE, entry, manifest.files[entry.file])

    measured: list[list[Row]] = [[] for _ in shapes]
    for again in range(repeats):
        for index, (parts, side, rate_per_s) in enumerate(shapes):
            progress("timing messages", again * len(shapes) + index, repeats * len(shapes))
            pieces = [piece(f"part-{number}") for number in numbers[side][:parts]]
            row = measure(
                child, pieces, piece("fusion"), side, requests=requests, rate_per_s=rate_per_s
            )
            measured[index].append(row)
    return [_median(rows) for rows in measured]


def _median(rows: Sequence[Row]) -> Row:
    """Return the median of rows of one shape, figure by figure."""
    names = ("rest_s", "bytes", "node_s", "coordinator_s", "compute_s", "wall_s")
    medians: dict[str, Any] = {
        name: float(np.median([getattr(one, name) for one in rows])) for name in names
    }
    return replace(rows[0], **medians)
