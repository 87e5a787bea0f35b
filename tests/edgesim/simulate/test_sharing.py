"""Rates that are updated as flows come and go, against all rates computed anew at every instant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesim.hardware import Cluster, Link
from edgesim.simulate.channels import Route, fill
from edgesim.simulate.flows import Flows
from edgesim.simulate.kernel import LAST, Kernel
from edgesim.simulate.routes import LinkState, Port
from tests.edgesim.simulate.models import cluster, link, node

NODES = "ABCDEF"


def crowded(links: list[Link], routes: dict[tuple[str, str], list[str]]) -> Cluster:
    return cluster([node(name) for name in NODES], links, routes)


@dataclass
class Watched:
    """Flows whose rates are compared with rates computed anew after every instant."""

    where: Cluster
    kernel: Kernel = field(default_factory=Kernel)
    ended: dict[int, float] = field(default_factory=dict)
    checks: int = 0

    def __post_init__(self) -> None:
        ports = {name: Port() for name in self.where.nodes}
        self.flows = Flows(self.kernel, self.where, ports, self.delivered)
        self.routes: dict[tuple[str, str], Route] = {}

    def delivered(self, token: Any) -> None:
        assert token not in self.ended, "a flow ends once"
        self.ended[token] = self.kernel.time_s
        self.check_later()

    def route(self, ends: tuple[str, str]) -> Route:
        return self.routes.setdefault(ends, self.flows.route(*ends))

    def at(self, time_s: float, act: Any) -> None:
        def call(_: Any) -> None:
            act()
            self.check_later()

        self.kernel.call_at(time_s, call)

    def check_later(self) -> None:
        self.kernel.call_at(self.kernel.time_s, self.check, LAST)

    def check(self, _: Any) -> None:
        self.checks += 1
        active = [route for route in self.routes.values() if route.count]
        channels = dict.fromkeys(channel for route in active for channel in route.channels)
        expected = fill(channels)
        assert set(expected) == set(active)
        for route, (_, rate) in expected.items():
            assert route.rate == pytest.approx(rate, rel=1e-11, abs=1e-300)
            assert route.bottleneck in route.channels
            assert len(route.flows) == route.count

    def run(self) -> None:
        self.kernel.run()


@st.composite
def networks(draw: st.DrawFn) -> tuple[Cluster, list[tuple[str, str]]]:
    capacities = draw(
        st.lists(st.sampled_from([1.0, 2.0, 3.0, 7.0, 1e3, 1e9]), min_size=1, max_size=6)
    )
    losses = [draw(st.sampled_from([0.0, 0.0, 0.0, 0.1])) for _ in capacities]
    names = [f"l{number}" for number in range(len(capacities))]
    links = [
        link(name, capacity, loss=loss, duplex=draw(st.sampled_from(["full", "half"])))
        for name, capacity, loss in zip(names, capacities, losses, strict=True)
    ]
    pairs = [(a, b) for a in NODES for b in NODES if a != b]
    ends = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=12, unique=True))
    one = st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)
    return crowded(links, {pair: draw(one) for pair in ends}), ends


@given(networks(), st.data())
@settings(max_examples=300, deadline=None)
def test_rates_are_fair_at_every_instant(
    system: tuple[Cluster, list[tuple[str, str]]], data: st.DataObject
) -> None:
    where, ends = system
    watched = Watched(where)
    flows = watched.flows
    begun: set[int] = set()
    gone: set[int] = set()
    for token in range(data.draw(st.integers(1, 40))):
        kind = data.draw(st.sampled_from(["begin"] * 8 + ["withdraw", "cut", "link"]))
        # Few times: several things happen in one instant.
        time_s = data.draw(st.integers(0, 12)) / 4
        pair = data.draw(st.sampled_from(ends))
        if kind == "begin":
            size = data.draw(st.sampled_from([1e-3, 1.0, 1.0, 2.5, 1e4]))
            begun.add(token)
            watched.at(
                time_s,
                lambda pair=pair, size=size, token=token: flows.begin(
                    watched.route(pair), size, token
                ),
            )
        elif kind == "withdraw":

            def withdraw(pair: tuple[str, str] = pair) -> None:
                route = watched.route(pair)
                if route.flows:
                    token = route.flows[-1][3]
                    gone.add(token)
                    flows.withdraw(route, token)

            watched.at(time_s, withdraw)
        elif kind == "cut":
            watched.at(time_s, lambda pair=pair: gone.update(flows.cut(pair[0])))
        else:
            name = data.draw(st.sampled_from(sorted(where.network.links)))
            capacity = data.draw(st.sampled_from([0.0, 1.0, 5.0]))
            loss = where.network.links[name].loss
            watched.at(
                time_s,
                lambda name=name, capacity=capacity, loss=loss: flows.set_link(
                    name, LinkState(capacity, 0.0, loss)
                ),
            )
            watched.at(
                20.0,
                lambda name=name, loss=loss: flows.set_link(
                    name, LinkState(where.network.links[name].bandwidth_byte_s, 0.0, loss)
                ),
            )
    watched.run()
    assert watched.checks
    assert set(watched.ended) == begun - gone


@pytest.mark.parametrize("seed", range(12))
def test_rates_are_fair_in_long_traffic(seed: int) -> None:
    chance = np.random.default_rng(seed)
    names = [f"l{number}" for number in range(8)]
    capacities = chance.choice([2.0, 3.0, 5.0, 20.0], len(names))
    links = [link(name, float(capacity)) for name, capacity in zip(names, capacities, strict=True)]
    pairs = [(a, b) for a in NODES for b in NODES if a != b]
    ends = [pairs[place] for place in chance.permutation(len(pairs))[:16]]
    routes = {
        pair: [names[place] for place in chance.permutation(len(names))[: chance.integers(1, 4)]]
        for pair in ends
    }
    watched = Watched(crowded(links, routes))
    time_s = 0.0
    for token in range(400):
        time_s += float(chance.exponential(0.3))
        pair, size = ends[chance.integers(len(ends))], float(chance.exponential(3.0))
        watched.at(
            time_s,
            lambda pair=pair, size=size, token=token: watched.flows.begin(
                watched.route(pair), size, token
            ),
        )
    watched.run()
    assert len(watched.ended) == 400
