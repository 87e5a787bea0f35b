"""What messages cost: processor time of a node and of a coordinator, and time on no processor.

A node that computes next to nothing is asked by the real coordinator, for one to four parts with
images of several sizes. Both processes tell the processor time that they took; least squares over
all of that give

    node        = per_message x messages + per_byte x bytes
    coordinator = per_request + per_message x messages + per_byte x bytes

for one request, both times what a rest adds. The node's own executions are left out by what it
says of them (``processor_ns``); waking its computing thread, and handing over, is part of the
messages. What remains of a request's time when all of that is taken off is ``delay``, an equal
share of it for each message on its way.
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
from edgesim.serve.access import Access
from edgesim.serve.coordinator.asking import Reply, RequestResult
from edgesim.serve.coordinator.images import Images
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.replication import run_replication
from edgesim.serve.coordinator.work import Piece, Work
from edgesim.simulate.arrivals import Closed, Periodic
from edgesim.simulate.recovery import Health, Retry

_WARM_UP = 5
_AT_ONCE = 4
_LEAST_RATES = 3
_USUAL_ERROR = 0.05
"""Of a row, beyond which it weighs less."""
_POLICY = Policy(deadline_s=30.0, retry=Retry(attempts=1), health=Health(interval_s=30.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Requests of one shape.

    Attributes:
        parts: that a request asks.
        side: of its image, in pixels.
        rate_per_s: that they were to come at; infinity for as fast as they were answered.
        rest_s: from one to the next, as it was.
        bytes: of all its messages.
        node_s: processor time of the node for one, executions left out.
        asker_s: processor time of the coordinator for one.
        compute_s: of the executions on a request's critical path.
        wall_s: from the first question to the last answer.
    """

    parts: int
    side: int
    rate_per_s: float
    rest_s: float
    bytes: float
    node_s: float
    asker_s: float
    compute_s: float
    wall_s: float

    @property
    def messages(self) -> int:
        """Messages of a request: question and answer of every part, and of the fusion."""
        return 2 * (self.parts + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What messages cost, and how well that tells what was measured.

    Attributes:
        messaging: the costs.
        node_error: median error of the node's processor time of a request, as a share.
        asker_error: of the coordinator's.
        node_r2: share of the node's variance that the costs explain.
        asker_r2: of the coordinator's.
        wall_s: median time of a request with one part and the smallest image.
        left_s: of that, what is on no processor; negative where both processes work at once.
        rows: what was measured.
    """

    messaging: Messaging
    node_error: float
    asker_error: float
    node_r2: float
    asker_r2: float
    wall_s: float
    left_s: float
    rows: tuple[Row, ...]


def measure(
    child: Child,
    access: Access,
    pieces: Sequence[Piece],
    fusion: Piece,
    side: int,
    *,
    classes: int,
    requests: int,
    rate_per_s: float,
) -> Row:
    """Ask a node for some parts, at even intervals, and read what that cost.

    At an infinite rate there are always some requests under way, and nothing rests.

    Raises:
        EdgesimError: a request was not answered.
    """
    work = Work(
        parts=tuple(pieces),
        fusion=fusion,
        addresses={NODE: child.address},
        home=NODE,
        shape=(1, side, side),
        classes=classes,
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
    lost: list[str] = []
    computed: list[list[float]] = []
    sent = ended = 0
    worked_s = 0.0

    def seen(number: int, found: RequestResult) -> None:
        nonlocal sent, ended, worked_s
        replies = [one for one in (*found.parts, found.fusion) if isinstance(one, Reply)]
        if len(replies) <= len(pieces):
            # Something else than the node was measured, whatever it was.
            lost.append(found.reason or "a part did not answer")
        elif ended >= _WARM_UP:
            computed.append([one.compute_s for one in replies])
            worked_s += sum(one.processor_s for one in replies)
            sent += sum(one.sent_bytes + one.received_bytes for one in replies)
            walls.append(replies[-1].received_s - replies[0].asked_s)
        ended += 1
        if ended in (_WARM_UP, many):
            marks.append((time.process_time(), child.processor_s(), time.monotonic()))

    run_replication(
        work, cluster, traffic, Images(pixels, None), access, _POLICY,
        seed=0, trace_requests=0, seen=seen,
    )  # fmt: skip
    if lost:
        raise EdgesimError(f"the node of the profile failed: {lost[0]}")
    (asker_begun_s, node_begun_s, begun_s), (asker_end_s, node_end_s, end_s) = marks
    # Medians: what an execution was put off its processor for is no message.
    compute_s = np.median(computed, axis=0)
    return Row(
        parts=len(pieces),
        side=side,
        rate_per_s=rate_per_s,
        rest_s=(end_s - begun_s) / requests,
        bytes=sent / requests,
        node_s=max(0.0, (node_end_s - node_begun_s) - worked_s) / requests,
        asker_s=(asker_end_s - asker_begun_s) / requests,
        compute_s=float(compute_s[:-1].max() + compute_s[-1]),
        wall_s=float(np.median(walls)),
    )


def median_rows(rows: Sequence[Row]) -> list[Row]:
    """Return one row for each shape: the median of its rounds, figure by figure."""
    shapes: dict[tuple[int, int, float], list[Row]] = {}
    for row in rows:
        shapes.setdefault((row.parts, row.side, row.rate_per_s), []).append(row)
    measured = ("rest_s", "bytes", "node_s", "asker_s", "compute_s", "wall_s")
    found = []
    for alike in shapes.values():
        medians: dict[str, Any] = {
            name: float(np.median([getattr(one, name) for one in alike])) for name in measured
        }
        found.append(replace(alike[0], **medians))
    return found


def fit(rows: Sequence[Row]) -> Fit:
    """Return the costs that tell some rows best; each of at least three shapes.

    The first message of a request comes after a rest, the others follow each other; what a rest
    adds is what tells all rows best, those of other rates above all. Relative errors are squared,
    and none of the costs is negative (non-negative least squares).
    """
    node_s = np.array([row.node_s for row in rows])
    asker_s = np.array([row.asker_s for row in rows])
    cooling = _cooling(rows, node_s, asker_s)
    warm, on_node, on_asker = _columns(rows, cooling)
    node, node_fit_s = _least(on_node, node_s)
    asker, asker_fit_s = _least(on_asker, asker_s)
    # Of the requests that are most like one alone on a real node, at all rates that leave it so.
    first = min((row.parts, row.side) for row in rows)
    alone = [
        index
        for index, row in enumerate(rows)
        if (row.parts, row.side) == first and not math.isinf(row.rate_per_s)
    ]
    walls_s = np.array([rows[index].wall_s for index in alone])
    computes_s = np.array([rows[index].compute_s for index in alone])
    asks_s = asker_fit_s[alone] - asker[0] * warm[alone]
    left_s = float(np.median(walls_s - computes_s - node_fit_s[alone] - asks_s))
    many = rows[alone[0]].messages
    return Fit(
        messaging=Messaging(
            per_message_s=node[0],
            per_byte_s=node[1],
            delay_s=max(0.0, left_s / many),
            asking=Asking(per_request_s=asker[0], per_message_s=asker[1], per_byte_s=asker[2]),
            cooling=cooling,
        ),
        node_error=_median_error(node_fit_s, node_s),
        asker_error=_median_error(asker_fit_s, asker_s),
        node_r2=_explained(node_fit_s, node_s),
        asker_r2=_explained(asker_fit_s, asker_s),
        wall_s=float(np.median(walls_s)),
        left_s=left_s,
        rows=tuple(rows),
    )


def _columns(rows: Sequence[Row], cooling: Cooling) -> tuple[Array, Array, Array]:
    """Return what a mean message takes over one without a rest, and what costs are factors of.

    The first message of a request rests from the end of the last request on. The others rest for an
    equal part of the request's time; where requests are always under way, none does.
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


def _cooling(rows: Sequence[Row], node_s: Array, asker_s: Array) -> Cooling:
    """Return what a rest adds to the processor time of both; nothing where rates are too few."""
    from scipy.optimize import minimize

    if len({row.rate_per_s for row in rows}) < _LEAST_RATES:
        return Cooling()

    def made(found: Array) -> Cooling:
        return Cooling(share=float(np.exp(found[0])), time_s=float(np.exp(found[1])))

    def loss(found: Array) -> float:
        _, on_node, on_asker = _columns(rows, made(found))
        total = 0.0
        for columns, wanted in ((on_node, node_s), (on_asker, asker_s)):
            errors = _least(columns, wanted)[1] / np.maximum(wanted, 1e-9) - 1.0
            total += float(np.sqrt(1.0 + (errors / _USUAL_ERROR) ** 2).sum())
        return total

    bounds = [(np.log(1e-3), np.log(MOST_SHARE)), (np.log(LEAST_S), np.log(MOST_S))]
    solutions = [
        minimize(loss, np.log([share, time_s]), method="Nelder-Mead", bounds=bounds)
        for share in (0.1, 2.0)
        for time_s in (3e-3, 3e-2)
    ]
    return made(min(solutions, key=lambda one: float(one.fun)).x)


def _least(columns: Array, wanted: Array) -> tuple[list[float], Array]:
    """Return the factors of the columns that tell what is wanted, and what they tell."""
    from scipy.optimize import nnls

    scale = columns.max(axis=0)
    weight = 1.0 / np.maximum(wanted, 1e-9)
    found, _ = nnls(columns / scale * weight[:, None], wanted * weight)
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
    classes: int,
    progress: Progress,
) -> list[Row]:
    """Measure shapes (parts, side of the image, rate) in rounds; one row for each.

    Args:
        child: a node that serves the null artifact.
        artifact: the null artifact.
        numbers: of its parts, by side.
        shapes: what requests ask.
        repeats: rounds.
        requests: of a shape in a round.
        classes: of the fusion.
        progress: called with what is measured and how far it is.
    """
    from partition import read_manifest

    files = read_manifest(artifact).files
    version = {name: files[f"{name}.safetensors"][:12] for name in ("fusion", *_names(numbers))}
    rows = []
    for again in range(repeats):
        for index, (parts, side, rate_per_s) in enumerate(shapes):
            progress("asking", again * len(shapes) + index, repeats * len(shapes))
            pieces = [
                Piece(f"part-{number}", NODE, version[f"part-{number}"])
                for number in numbers[side][:parts]
            ]
            rows.append(
                measure(
                    child,
                    child.client,
                    pieces,
                    Piece("fusion", NODE, version["fusion"]),
                    side,
                    classes=classes,
                    requests=requests,
                    rate_per_s=rate_per_s,
                )
            )
    return median_rows(rows)


def _names(numbers: dict[int, list[int]]) -> list[str]:
    return [f"part-{number}" for some in numbers.values() for number in some]
