"""Queues that drop work: closed forms of loss, lists of events by hand, and a loop of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from edgesim.hardware import Node, Queue
from edgesim.simulate import Outcome, Recording
from edgesim.simulate.arrivals import Periodic, Poisson
from edgesim.simulate.recovery import Recovery, Retry
from tests.edgesim.simulate.models import Flops, at, cluster, link, node, plan, play, spans, task

REPLICATIONS = 12
REQUESTS = 20_000
WARMUP = 2_000


def queued(**options: object) -> Node:
    """A node that takes a second for each request, with a queue of these keys."""
    queue = {key: options.pop(key) for key in tuple(options) if key in _KEYS}
    return node(queue=Queue(**queue), **options)  # type: ignore[arg-type]


_KEYS = ("order", "limit", "full", "skip_late")


def outcomes(recording: Recording) -> list[str]:
    return [Outcome(int(one)).name.lower() for one in recording.outcome]


def ends(recording: Recording) -> list[float]:
    """Ends of the requests; NaN where there is none."""
    return (recording.arrival_s + recording.latency_s).tolist()


def loss(where: Node, rate: float) -> tuple[float, float]:
    """99.9 % interval of the share of dropped requests, from independent replications."""
    shares = []
    for index in range(REPLICATIONS):
        recording = play(
            plan([task("t", "A", 1.0)]), cluster([where]),
            Poisson(requests=REQUESTS, rate_per_s=rate), seed=5, replication=index,
            trace_requests=0,
        )  # fmt: skip
        shares.append(float((recording.outcome[WARMUP:] == Outcome.DROPPED).mean()))
    half = stats.t.ppf(0.9995, REPLICATIONS - 1) * np.std(shares, ddof=1) / math.sqrt(REPLICATIONS)
    assert half < 0.01
    return float(np.mean(shares) - half), float(np.mean(shares) + half)


@pytest.mark.parametrize("full", ["reject", "drop-oldest"])
@pytest.mark.parametrize(("load", "limit"), [(0.7, 2), (1.5, 4)])
def test_mm1k_loss(full: str, load: float, limit: int) -> None:
    # K = limit + 1 in the system: (1 - r) r^K / (1 - r^(K + 1)). Whose turn it is to leave a full
    # queue does not change how often one does.
    size = limit + 1
    expected = (1 - load) * load**size / (1 - load ** (size + 1))
    low, high = loss(queued(limit=limit, full=full, variability="exponential"), load)
    assert low <= expected <= high


def md1k_loss(load: float, size: int) -> float:
    """Loss of M/D/1/K by its embedded Markov chain (Gross and Harris, section 5.1.8).

    States are the numbers left behind by departures, 0 to K - 1; of the time that the system takes
    for a departure, 1 + p(0) / load services, one arrival in each is served.
    """
    arrive = [math.exp(-load) * load**k / math.factorial(k) for k in range(size + 2)]
    matrix = np.zeros((size, size))
    for left in range(size):
        start = max(left, 1) - 1
        for new in range(start, size - 1):
            matrix[left, new] = arrive[new - start]
        matrix[left, size - 1] = 1.0 - matrix[left].sum()
    equations = np.vstack([matrix.T - np.eye(size), np.ones(size)])
    left_behind = np.linalg.lstsq(equations, np.array([*np.zeros(size), 1.0]), rcond=None)[0]
    return float(1.0 - 1.0 / (left_behind[0] + load))


@pytest.mark.parametrize(("load", "limit"), [(0.8, 1), (0.8, 3), (1.2, 3)])
def test_md1k_loss(load: float, limit: int) -> None:
    low, high = loss(queued(limit=limit), load)
    assert low <= md1k_loss(load, limit + 1) <= high


def test_erlang_b_is_md1k_of_one_place() -> None:
    # The embedded chain of the test above, against M/G/1/1: load / (1 + load).
    assert md1k_loss(0.8, 1) == pytest.approx(0.8 / 1.8)


THREE_WAIT = at(0.0, 0.1, 0.2, 0.3, 0.4)
"""The first is served at once; four more come before it ends."""


@pytest.mark.parametrize(
    ("options", "answered"),
    [
        ({"limit": 2}, [0, 1, 2]),
        ({"limit": 2, "full": "reject"}, [0, 1, 2]),
        ({"limit": 2, "full": "drop-oldest"}, [0, 3, 4]),
        ({"full": "keep-latest"}, [0, 4]),
        ({"limit": 4}, [0, 1, 2, 3, 4]),
    ],
)
def test_who_leaves_a_full_queue(options: dict[str, object], answered: list[int]) -> None:
    recording = play(plan([task("t", "A", 1.0)]), cluster([queued(**options)]), THREE_WAIT)
    found = outcomes(recording)
    assert [index for index, one in enumerate(found) if one == "completed"] == answered
    assert found.count("dropped") == 5 - len(answered)
    assert [span[0] for span in spans(recording)] == answered
    assert recording.nodes["A"].dropped == 5 - len(answered)
    limit = options.get("limit", 1)
    assert recording.nodes["A"].max_queue == min(4, limit)  # type: ignore[type-var]
    assert recording.faults is None


def test_reasons() -> None:
    what = plan([task("t", "A", 1.0)])
    full = play(what, cluster([queued(limit=2)]), THREE_WAIT)
    assert full.dropped == {"queue full": 2}
    latest = play(what, cluster([queued(full="keep-latest")]), THREE_WAIT)
    assert latest.dropped == {"superseded": 3}


def test_the_limit_does_not_count_what_runs_on_other_cores() -> None:
    where = cluster([queued(limit=1, device=Flops(cores=2, rate=2.0))])
    recording = play(plan([task("t", "A", 1.0, cores=1)]), where, THREE_WAIT)
    assert outcomes(recording) == ["completed"] * 3 + ["dropped"] * 2


def test_a_batch_that_comes_at_once_does_not_wait() -> None:
    # Six at one instant: four are one execution, one waits, one is refused.
    where = cluster([queued(limit=1, batch_max=4)])
    recording = play(plan([task("t", "A", 1.0)]), where, at(*[0.0] * 6))
    assert outcomes(recording) == ["completed"] * 5 + ["dropped"]
    assert recording.nodes["A"].max_queue == 1


def test_late_work_is_skipped_when_it_can_not_end_in_time() -> None:
    # Each takes 1 s, and has 2.5 s: served are those that start within 1.5 s.
    where = cluster([queued(skip_late=True)])
    traffic = at(0.0, 0.1, 0.2, 2.2, deadline_s=2.5)
    recording = play(plan([task("t", "A", 1.0)]), where, traffic)
    # The third would have started at 2.0 and ended 2.8 s after it came.
    assert outcomes(recording) == ["completed", "completed", "dropped", "completed"]
    assert ends(recording)[3] == pytest.approx(3.2)
    assert recording.dropped == {"too late": 1}


@pytest.mark.parametrize(("order", "served"), [("fifo", "y0 y1 x0 x1"), ("edf", "y0 x0 y1 x1")])
def test_earliest_deadline_first(order: str, served: str) -> None:
    # y of the request at 0 keeps A busy from 1 to 4.5 s. Then y of the request at 2.5 has waited
    # since 3.5, and x of the first since 4.0: with it goes the earlier deadline.
    what = plan(
        [task("slow", "B", 4.0), task("fast", "C", 1.0), task("x", "A", 1.0), task("y", "A", 3.5)],
        [("slow", "x", 0.0), ("fast", "y", 0.0)],
    )
    nodes = [queued(name="A", order=order), node("B"), node("C")]
    where = cluster(nodes, [link("l", 1.0)], {("B", "A"): ["l"], ("C", "A"): ["l"]})
    found = spans(play(what, where, at(0.0, 2.5, deadline_s=9.0)))
    on_a = [f"{name}{index}" for index, name, _, _ in found if name in ("x", "y")]
    assert " ".join(on_a) == served


def keep_latest_loop(gap_s: float, service_s: float, deadline_s: float, many: int) -> float:
    """Share of periodic requests answered in time where the newest alone waits."""
    free_s, waiting, in_time = 0.0, None, 0
    for number in range(many + 1):
        now = number * gap_s if number < many else math.inf
        while waiting is not None and free_s <= now:
            free_s = free_s + service_s
            in_time += free_s - waiting <= deadline_s
            waiting = None
        if number < many:
            if free_s <= now:
                free_s = now + service_s
                in_time += service_s <= deadline_s
            else:
                waiting = now
    return in_time / many


@pytest.mark.parametrize("rate", [7.0, 9.3, 20.0])
def test_keep_latest_against_a_loop_of_its_own(rate: float) -> None:
    # 150 ms of work: 6.7 requests a second at most.
    many, service_s, deadline_s = 3000, 0.15, 0.3
    traffic = Periodic(requests=many, rate_per_s=rate, deadline_s=deadline_s)
    what = plan([task("t", "A", service_s)])
    recording = play(what, cluster([queued(full="keep-latest")]), traffic, trace_requests=0)
    in_time = float((recording.latency_s <= deadline_s).mean())
    expected = keep_latest_loop(1.0 / rate, service_s, deadline_s, many)
    assert in_time == pytest.approx(expected, abs=2 / many)
    if rate == 7.0:
        assert in_time == pytest.approx(0.95, abs=0.005)
        # A plain queue whose parts are withdrawn after 300 ms computes for nobody.
        part = play(what, cluster([node()]), traffic, recovery=Recovery(deadline_s=deadline_s))
        assert (part.latency_s <= deadline_s).mean() == pytest.approx(0.011, abs=0.005)


def refused_part(optional: bool, **recovery: object) -> Recording:
    """Two parts of each request, on A, which takes one of two, and on B, which takes all."""
    what = plan(
        [
            task("a", "A", 3.0, optional=optional),
            task("b", "B", 0.5, optional=optional),
            task("fusion", "C", 0.0, kind="fusion"),
        ],
        [("a", "fusion", 0.0), ("b", "fusion", 0.0)],
    )
    nodes = [queued(name="A", limit=1), node("B"), node("C")]
    where = cluster(nodes, [link("l", 1e9), link("m", 1e9)], {("A", "C"): ["l"], ("B", "C"): ["m"]})
    return play(what, where, at(0.0, 1.0, 2.0), recovery=Recovery(**recovery))  # type: ignore[arg-type]


def test_a_refused_part_leaves_a_degraded_request_where_the_fusion_goes_on() -> None:
    recording = refused_part(optional=True)
    assert outcomes(recording) == ["completed", "completed", "degraded"]
    assert recording.missing == {frozenset({"a"}): 1}
    assert recording.latency_s[2] == pytest.approx(0.5)


def test_a_refused_part_drops_a_request_that_needs_it() -> None:
    recording = refused_part(optional=False)
    assert outcomes(recording) == ["completed", "completed", "dropped"]
    assert recording.dropped == {"queue full": 1}


def test_a_refused_part_is_attempted_again() -> None:
    # Refused at 2 s. Between 3 and 4 s the second runs, and the third may wait until 6 s.
    retry = Retry(attempts=2, backoff_s=2.0, longest_s=10.0)
    recording = refused_part(optional=False, retry=retry)
    assert outcomes(recording) == ["completed"] * 3
    assert recording.latency_s[2] == pytest.approx(9.0 - 2.0)
