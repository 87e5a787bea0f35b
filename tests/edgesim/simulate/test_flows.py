"""Max-min fair flows against cases solved by hand and against an independent oracle."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from edgesim.hardware import Link, Node
from edgesim.simulate import Recording
from edgesim.simulate.channels import Channel, Route, fill
from edgesim.simulate.routes import Activity
from tests.edgesim.simulate.models import at, cluster, link, node, plan, play, task

Flow = tuple[str, str, float, float]
"""(source, target, start in seconds, bytes)"""


def ends(
    flows: list[Flow], links: list[Link], routes: dict[tuple[str, str], list[str]]
) -> list[float]:
    """Play flows that start at given times; return when each ended."""
    names = sorted({name for flow in flows for name in flow[:2]})
    nodes: list[Node] = [node(name) for name in names]
    # A source of its own for each flow starts it at its time, on a node that takes that long.
    tasks, transfers = [], []
    for index, (source, target, start, size) in enumerate(flows):
        clock = f"clock-{index}"
        nodes.append(node(clock))
        routes[clock, source] = ["wire"]
        tasks += [
            task(f"wait{index}", clock, start),
            task(f"send{index}", source, 0.0),
            task(f"got{index}", target, 0.0),
        ]
        transfers += [(f"wait{index}", f"send{index}", 0.0), (f"send{index}", f"got{index}", size)]
    where = cluster(nodes, [*links, link("wire", 1.0)], routes)
    recording: Recording = play(plan(tasks, transfers), where, at(0.0))
    by_name = {span.task: span.end_s for span in recording.spans}
    return [by_name[f"send{index}→got{index}"] for index in range(len(flows))]


def test_two_flows_share_a_link() -> None:
    done = ends([("A", "B", 0.0, 10.0)] * 2, [link("l", 10.0)], {("A", "B"): ["l"]})
    assert done == [2.0, 2.0]


def test_the_shorter_of_two_flows_leaves_its_share_to_the_other() -> None:
    flows = [("A", "B", 0.0, 5.0), ("A", "B", 0.0, 15.0)]
    # 5 each until 1 s, then 10 more alone at 10 byte/s.
    assert ends(flows, [link("l", 10.0)], {("A", "B"): ["l"]}) == [1.0, 2.0]


def test_staggered_starts() -> None:
    flows = [("A", "B", 0.0, 20.0), ("A", "B", 1.0, 10.0)]
    # Alone until 1 s (10 left), then 5 each: both end at 3 s.
    assert ends(flows, [link("l", 10.0)], {("A", "B"): ["l"]}) == [3.0, 3.0]


def test_three_flows_over_two_links() -> None:
    # The parking lot: one long flow over both links, a short one on each.
    flows = [("A", "C", 0.0, 10.0), ("A", "B", 0.0, 10.0), ("B", "C", 0.0, 30.0)]
    routes = {("A", "C"): ["ab", "bc"], ("A", "B"): ["ab"], ("B", "C"): ["bc"]}
    links = [link("ab", 10.0), link("bc", 20.0)]
    # ab is tight: 5 and 5, so the flow on bc gets 15; everything ends at 2 s.
    assert ends(flows, links, routes) == [2.0, 2.0, 2.0]


def test_what_a_tight_link_leaves_is_given_to_others_and_taken_back() -> None:
    flows = [("A", "C", 0.0, 12.0), ("B", "C", 0.0, 20.0), ("B", "C", 1.0, 8.0)]
    routes = {("A", "C"): ["a", "c"], ("B", "C"): ["b", "c"]}
    links = [link("a", 3.0), link("b", 100.0), link("c", 11.0)]
    # 0-1 s: 3 and 8. Then 3, 4, 4 until the third ends at 3 s (8 bytes; the second has 4 left),
    # then 3 and 8: the second ends at 3.5 s, the first at 4 s.
    assert ends(flows, links, routes) == pytest.approx([4.0, 3.5, 3.0], rel=1e-15)


def test_a_flow_takes_no_bandwidth_during_its_latency() -> None:
    flows = [("A", "B", 0.0, 10.0), ("C", "B", 0.0, 10.0)]
    routes = {("A", "B"): ["b"], ("C", "B"): ["far", "b"]}
    links = [link("b", 10.0), link("far", 1000.0, 1.0)]
    assert ends(flows, links, routes) == [1.0, 2.0]


def test_multi_hop_is_cut_through() -> None:
    links = [link("x", 10.0, 0.25), link("y", 5.0, 0.5)]
    # Latencies add; the bytes go once, at the rate of the slower link: not stored and forwarded.
    assert ends([("A", "C", 0.0, 10.0)], links, {("A", "C"): ["x", "y"]}) == [2.75]


@pytest.mark.parametrize(("duplex", "expected"), [("full", 1.0), ("half", 2.0), ("shared", 2.0)])
def test_opposite_flows(duplex: str, expected: float) -> None:
    flows = [("A", "B", 0.0, 10.0), ("B", "A", 0.0, 10.0)]
    routes = {("A", "B"): ["l"], ("B", "A"): ["-l"]}
    assert ends(flows, [link("l", 10.0, duplex=duplex)], routes) == [expected] * 2


def test_equal_flows_of_many_routes_end_together() -> None:
    names = [f"N{i}" for i in range(7)]
    routes = {("H", name): ["hub", name] for name in names}
    links = [link("hub", 7.0), *(link(name, 5.0) for name in names)]
    assert ends([("H", name, 0.0, 3.0) for name in names], links, routes) == [3.0] * 7


def _fractions(channels: list[int], routes: list[list[int]], counts: list[int]) -> list[Fraction]:
    """Max-min rates by the definition, in exact arithmetic: raise all, freeze the bottlenecked."""
    rates = [Fraction(0)] * len(routes)
    frozen = [False] * len(routes)
    while not all(frozen):
        steps = []
        for index, capacity in enumerate(channels):
            growing = sum(c for r, c, f in zip(routes, counts, frozen) if index in r and not f)
            if growing:
                used = sum(x * c for x, r, c in zip(rates, routes, counts) if index in r)
                steps.append((capacity - used) / Fraction(growing))
        step = min(steps)
        rates = [x if f else x + step for x, f in zip(rates, frozen)]
        for index, capacity in enumerate(channels):
            if sum(x * c for x, r, c in zip(rates, routes, counts) if index in r) == capacity:
                frozen = [f or index in r for f, r in zip(frozen, routes)]
    return rates


@st.composite
def systems(draw: st.DrawFn) -> tuple[list[int], list[list[int]], list[int]]:
    channels = draw(st.lists(st.integers(1, 40), min_size=1, max_size=5))
    one = st.lists(st.integers(0, len(channels) - 1), min_size=1, max_size=3, unique=True)
    routes = draw(st.lists(one, min_size=1, max_size=7))
    return channels, routes, [draw(st.integers(1, 3)) for _ in routes]


def _filled(channels: list[int], routes: list[list[int]], counts: list[int]) -> list[float]:
    shared = [Channel(float(capacity)) for capacity in channels]
    made = []
    for path, flows in zip(routes, counts, strict=True):
        route = Route(tuple(shared[i] for i in path), 0.0, Activity(), Activity())
        route.count = flows
        made.append(route)
        for i in path:
            shared[i].active[route] = None
    found = fill([channel for channel in shared if channel.active])
    return [found[route][1] for route in made]


@given(systems())
@settings(max_examples=200)
def test_rates_equal_the_definition_in_exact_arithmetic(
    system: tuple[list[int], list[list[int]], list[int]],
) -> None:
    expected = [float(rate) for rate in _fractions(*system)]
    assert _filled(*system) == pytest.approx(expected, rel=1e-12)


@given(systems())
@settings(max_examples=40)
def test_the_smallest_rate_is_the_largest_possible(
    system: tuple[list[int], list[list[int]], list[int]],
) -> None:
    # What max-min fairness means first, as a linear programme: maximise t with every flow >= t.
    channels, routes, counts = system
    use = np.array(
        [[c if i in r else 0 for r, c in zip(routes, counts)] for i in range(len(channels))]
    )
    rows = np.hstack([use, np.zeros((len(channels), 1))])
    floor = np.hstack([-np.eye(len(routes)), np.ones((len(routes), 1))])
    best = linprog(
        [0.0] * len(routes) + [-1.0],
        A_ub=np.vstack([rows, floor]),
        b_ub=[*channels, *[0] * len(routes)],
    )
    assert min(_filled(*system)) == pytest.approx(-best.fun, rel=1e-9)
