"""Several nodes where requests enter: a stream of its own from each, against lists by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from edgesim import api
from edgesim.common.errors import InputError
from edgesim.hardware import Cluster, Faults, Node, Queue
from edgesim.placement.bounds import bottleneck
from edgesim.placement.plan import Plan
from edgesim.report import folder
from edgesim.results import tables_csv
from edgesim.scenario.reader import load_text
from edgesim.simulate import Outcome, Traffic
from edgesim.simulate.arrivals import Closed, Periodic, Poisson
from edgesim.simulate.recovery import Recovery, Retry
from edgesim.simulate.traffic import arrivals
from tests.edgesim.simulate.models import cluster, link, node, plan, play, spans, task


def cameras(what: float, size: float = 8.0, *, hub: Node | None = None) -> tuple[Plan, Cluster]:
    """Two cameras, a and b, with a link each of 8 and 4 bytes per second to a hub."""
    made = plan(
        [task("t", "hub", what)],
        [(None, "t", size), ("t", None, 0.0)],
        input_node="a",
        output_node="a",
        inputs=("a", "b"),
    )
    routes = {("a", "hub"): ["x"], ("b", "hub"): ["y"], ("hub", "a"): ["-x"], ("hub", "b"): ["-y"]}
    links = [link("x", 8.0), link("y", 4.0)]
    return made, cluster([node("a"), node("b"), hub or node("hub")], links, routes)


def two(traffic: Traffic) -> Traffic:
    return replace(traffic, sources=2)


def test_each_camera_sends_over_its_own_link_and_gets_its_own_answer() -> None:
    recording = play(*cameras(0.25), two(Periodic(requests=4, rate_per_s=0.1)))
    assert recording.sources == ("a", "b")
    assert recording.source.tolist() == [0, 1, 0, 1]
    assert recording.arrival_s.tolist() == [0.0, 0.0, 10.0, 10.0]
    # 1 s over x, 2 s over y, and 0.25 s of work.
    assert recording.latency_s.tolist() == [1.25, 2.25, 1.25, 2.25]
    sent = [(one.request, one.node) for one in recording.spans if one.kind == "transfer"]
    assert sorted(sent)[:2] == [(0, "a"), (0, "hub")]
    assert recording.links["x"].bytes == recording.links["y"].bytes == 16.0


def test_bounds_are_of_a_mean_request() -> None:
    # 8 bytes over x and y for each second request; a request of a alone takes the least time.
    bounds = bottleneck(*cameras(0.25))
    assert bounds.link_s == {"x": 0.5, "y": 1.0}
    assert (bounds.resource, bounds.capacity_per_s) == ("y", 1.0)
    assert bounds.latency_s == 1.25


def test_requests_of_both_run_in_one_batch() -> None:
    where = cameras(1.0, 0.0, hub=node("hub", batch_max=2))
    recording = play(*where, two(Periodic(requests=2, rate_per_s=1.0)))
    assert recording.nodes["hub"].executions == 1


def test_the_latest_of_each_camera_waits() -> None:
    where = cameras(10.0, 0.0, hub=node("hub", queue=Queue(full="keep-latest")))
    recording = play(*where, two(Periodic(requests=8, rate_per_s=1.0)))
    # The first of a runs until 10 s; of what comes by 3 s, the newest of each camera is left.
    assert [span[0] for span in spans(recording) if span[1] == "t"] == [0, 7, 6]
    assert recording.dropped == {"superseded": 5}
    assert recording.nodes["hub"].max_queue == 2


def test_a_client_stays_at_its_node() -> None:
    recording = play(*cameras(0.25), two(Closed(requests=9, concurrency=1)))
    # a: 1.25 s each; b: 2.25 s each, but for waits of the one hub.
    assert recording.source.tolist()[:2] == [0, 1]
    mine = recording.source == 0
    assert 5 <= mine.sum() <= 7
    for own in (mine, ~mine):
        starts, ends = recording.arrival_s[own], (recording.arrival_s + recording.latency_s)[own]
        assert starts[1:].tolist() == pytest.approx(ends[:-1].tolist())


def test_streams_are_independent_and_the_first_is_that_of_one_source() -> None:
    one = Poisson(requests=2000, rate_per_s=1.0)
    alone, no_source = arrivals(one, 7, 0)
    every, source = arrivals(two(one), 7, 0)
    assert no_source is None
    assert alone is not None
    assert every is not None
    assert source is not None
    mine = every[source == 0]
    assert mine.tolist() == alone[: len(mine)].tolist()
    first, second = (np.diff(every[source == number])[:900] for number in (0, 1))
    assert abs(np.corrcoef(first, second)[0, 1]) < 3.3 / math.sqrt(900)
    assert two(one).offered_per_s == 2.0


def test_poisson_streams_together_are_one() -> None:
    # Superposition: M/M/1 of the sum of the rates, and half of the requests from each.
    made, where = cameras(0.35, 0.0, hub=node("hub", variability="exponential"))
    waits, shares = [], []
    for index in range(12):
        traffic = two(Poisson(requests=20_000, rate_per_s=1.0))
        recording = play(made, where, traffic, seed=2, replication=index, trace_requests=0)
        waits.append(float(recording.breakdown_s["queue"][4000:].mean()))
        shares.append(float((recording.source == 0).mean()))
    load = 0.7
    half = stats.t.ppf(0.9995, 11) * np.std(waits, ddof=1) / math.sqrt(12)
    assert abs(np.mean(waits) - 0.35 * load / (1 - load)) < half < 0.15
    assert abs(np.mean(shares) - 0.5) < 3.3 * 0.5 / math.sqrt(20_000 * 12)


@given(
    st.sampled_from([Queue(), Queue(limit=1), Queue(full="keep-latest")]),
    st.sampled_from([None, Faults(mtbf_s=4.0, mttr_s=2.0)]),
    st.sampled_from([Recovery(), Recovery(retry=Retry(attempts=3))]),
    st.sampled_from(["poisson", "periodic", "closed"]),
    st.integers(1, 40),
    st.integers(0, 3),
)
@settings(max_examples=80)
def test_every_request_of_every_source_has_one_outcome(
    queue: Queue, faults: Faults | None, recovery: Recovery, kind: str, many: int, seed: int
) -> None:
    kinds: dict[str, Traffic] = {
        "poisson": Poisson(requests=many, rate_per_s=0.7, deadline_s=3.0),
        "periodic": Periodic(requests=many, rate_per_s=0.7, deadline_s=3.0),
        "closed": Closed(requests=many, concurrency=2),
    }
    where = cameras(0.9, hub=node("hub", queue=queue, faults=faults))
    recording = play(*where, two(kinds[kind]), seed=seed, recovery=recovery)
    assert len(recording.source) == len(recording.outcome) == many
    assert (np.diff(recording.arrival_s) >= 0.0).all()
    for number in (0, 1):
        mine = recording.outcome[recording.source == number]
        assert all(int(one) in (1, 2, 3, 4) for one in mine)
    answered = recording.outcome <= Outcome.DEGRADED
    assert (np.isfinite(recording.latency_s) == answered).all()
    assert sum(recording.dropped.values()) == (recording.outcome == Outcome.DROPPED).sum()
    again = play(*where, two(kinds[kind]), seed=seed, recovery=recovery)
    assert again.outcome.tolist() == recording.outcome.tolist()


SCENARIO = """
seed: 3
model: {name: vit_tiny_patch16_224, classes: 10}
placement: {strategy: replicate, input: [a, b], nodes: [n, m]}
nodes:
  a: {device: raspberry-pi-zero-2-w}
  b: {device: raspberry-pi-zero-2-w}
  n: {device: raspberry-pi-5}
  m: {device: raspberry-pi-5, queue: {limit: 1}}
network: {switch: {bandwidth: 100 Mbit/s, latency: 1 ms}}
traffic: {arrivals: poisson, rate: 8/s, requests: 200, deadline: 500 ms, warmup: 20}
baselines: [raspberry-pi-5]
"""


def test_results_by_source(tmp_path: Path) -> None:
    result = api.run(load_text(SCENARIO))
    summary = result.summary
    requests, sources = summary["requests"], summary["sources"]
    assert list(sources) == ["a", "b"]
    for outcome in ("offered", "completed", "degraded", "dropped", "failed", "late"):
        assert sum(one[outcome] for one in sources.values()) == requests[outcome]
    assert requests["dropped"] > 0
    # The baseline gets the requests of both: twice 4 a second, of which it serves 3.6.
    assert summary["baselines"]["raspberry-pi-5"]["settled"] is False
    folder.write(result, tmp_path / "out")
    written = (tmp_path / "out" / "requests.csv").read_text().splitlines()
    assert written[0].endswith(",outcome,source")
    assert {line.rpartition(",")[2] for line in written[1:]} == {"a", "b"}
    pieces = tables_csv.RequestsFile(tmp_path / "out" / "requests.csv").pieces()
    latency_s = np.concatenate([piece.latency_s for piece in pieces])
    assert np.array_equal(latency_s, result.recordings[0].latency_s, equal_nan=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[a, b]", "[a, c]", "placement.input.1: no node is named 'c'"),
        ("[a, b]", "[a, a]", "placement.input.1: 'a' is named twice"),
        ("poisson, rate: 8/s", "trace, times: [0]", "placement.input: 'trace' is one stream"),
        ("poisson, rate: 8/s", "offline", "placement.input: 'offline' is one stream"),
    ],
)
def test_wrong_inputs(old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as raised:
        load_text(SCENARIO.replace(old, new))
    assert message in str(raised.value)


def test_one_node_in_a_list_is_one_node() -> None:
    listed = api.run(load_text(SCENARIO.replace("[a, b]", "[a]")))
    plain = api.run(load_text(SCENARIO.replace("[a, b]", "a")))
    assert "sources" not in listed.summary
    assert listed.recordings[0].latency_s.tolist() == pytest.approx(
        plain.recordings[0].latency_s.tolist(), nan_ok=True, abs=0.0
    )


def test_the_newest_takes_the_place_of_the_one_that_it_makes_useless() -> None:
    # b waits since 0 s, and a since 1 s, as its first request is served: what comes at 2 s takes
    # their places in this order, although a's comes first.
    where = cameras(10.0, 0.0, hub=node("hub", queue=Queue(full="keep-latest")))
    recording = play(*where, two(Periodic(requests=6, rate_per_s=1.0)))
    assert [span[0] for span in spans(recording) if span[1] == "t"] == [0, 5, 4]
