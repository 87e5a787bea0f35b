"""How many flows a second over one saturated link, from one route to ten thousand.

``make bench`` plays 20,000 flows, at most about 3,000 at once; as a plain test a twentieth of it.
"""

from __future__ import annotations

import itertools
import random
import time
from typing import Any

import pytest

from edgesim.simulate.flows import Flows
from edgesim.simulate.kernel import Kernel
from edgesim.simulate.routes import Port
from tests.benchmarks import ratios
from tests.benchmarks.scale import FULL
from tests.edgesim.simulate.models import cluster, link, node

FLOWS = 20_000 if FULL else 1_000
ROUTES = (1, 10, 100, 1_000, 10_000) if FULL else (1, 10, 200)
CAPACITY = 1e9
BYTES = 1e6
LOAD = 1.2
"""More than the link carries: flows pile up, so that most routes have some."""


def flows_a_second(routes: int, access_byte_s: float | None) -> float:
    """Play flows from a hub to nodes, each behind a link of its own where one is given."""
    names = [f"n{number}" for number in range(routes)]
    links, paths = [link("hub", CAPACITY)], {}
    for name in names:
        paths["hub", name] = ["hub"]
        if access_byte_s:
            links.append(link(name, access_byte_s))
            paths["hub", name].append(name)
    where = cluster([node("hub"), *map(node, names)], links, paths)
    kernel = Kernel()
    ended: list[int] = []
    flows = Flows(kernel, where, {name: Port() for name in where.nodes}, ended.append)
    found = [flows.route("hub", name) for name in names]
    chance = random.Random(1)
    tokens = itertools.count()

    def begin(_: Any) -> None:
        token = next(tokens)
        flows.begin(chance.choice(found), chance.expovariate(1.0 / BYTES), token)
        if token + 1 < FLOWS:
            kernel.call_after(chance.expovariate(LOAD * CAPACITY / BYTES), begin)

    kernel.call_after(0.0, begin)
    begun = time.process_time()
    kernel.run()
    taken = time.process_time() - begun
    assert sorted(ended) == list(range(FLOWS))
    carried = flows.channels["hub", True].bytes / kernel.now
    assert carried <= CAPACITY * (1.0 + 1e-9)
    assert carried >= 0.6 * min(CAPACITY, routes * (access_byte_s or CAPACITY))
    return FLOWS / taken


NAMES = {
    None: "flows of most routes beside those of 10, one link",
    1e9: "flows of most routes beside those of 10, one link and 1 GB/s each",
    1e8: "flows of most routes beside those of 10, one link and 0.1 GB/s each",
}


@pytest.mark.parametrize("access", NAMES, ids=["one link", "1 GB/s each", "0.1 GB/s each"])
def test_many_routes_over_one_link(access: float | None) -> None:
    rates = {routes: flows_a_second(routes, access) for routes in ROUTES}
    print(f"\n{FLOWS:,} flows over one link, access {access or 'none'}")
    for routes, rate in rates.items():
        print(f"  {routes:>6,} routes {rate:>10,.0f} flows/s, {rate / rates[10]:.2f} of 10 routes")
    ratios.check({NAMES[access]: rates[ROUTES[-1]] / rates[10]})
