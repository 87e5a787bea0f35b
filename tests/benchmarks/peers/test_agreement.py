"""The simulators whose cost is compared simulate the same: waits and flows agree to nine digits."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests import needs
from tests.benchmarks.peers import cost
from tests.benchmarks.peers.shared import FairLink, LeastLoaded

NEEDS = {
    "edgesim": None, "SimPy": None, "SimGrid": needs.SIMGRID, "salabim": needs.SALABIM,
    "ciw": needs.CIW,
}  # fmt: skip


@pytest.mark.parametrize("tool", [tool for tool in cost.TOOLS if tool != "edgesim"])
def test_a_simulator_gives_the_waits_and_times_of_edgesim(tool: str) -> None:
    need = NEEDS[tool]
    if need is not None:
        need.require()
    found = [
        cost.queues("load", 0.8, 0.8, 1, 400),
        cost.queues("nodes", 10, 0.8, 10, 400),
        cost.flows(20, 60),
    ]
    cost.measure(found, turns=1, tools=["edgesim", tool])
    assert all(point.each_us(tool) > 0.0 for point in found)  # type: ignore[operator]


def test_waits_that_differ_are_told() -> None:
    point = cost.queues("nodes", 10, 0.8, 10, 20)
    ours, theirs = {"mean": 1.0, "most": 2.0}, {"mean": 1.0, "most": 2.0000001}
    assert cost.disagreement(point, {"edgesim": ours, "ciw": ours}) == ""
    told = cost.disagreement(point, {"edgesim": ours, "ciw": theirs})
    assert told == "nodes 10: the most is 2.0000001 in ciw, 2.0 in edgesim"


def test_one_queue_is_lindleys_recursion() -> None:
    from tests.benchmarks.peers.with_edgesim import queues

    given = cost.queues("load", 0.9, 0.9, 1, 300).given
    wait_s, waits_s = 0.0, [0.0]
    arrivals, services = given["arrivals_s"], given["services_s"][0]
    for before, now, service_s in zip(arrivals, arrivals[1:], services):
        wait_s = max(0.0, wait_s + service_s - (now - before))
        waits_s.append(wait_s)
    assert queues(given) == pytest.approx(waits_s, rel=1e-9, abs=1e-9)


def test_the_link_written_by_hand() -> None:
    # 10 bytes alone for 1 s, then two flows at half the rate each.
    link = FairLink(10.0)
    link.begin(0.0, 0, 15.0)
    link.begin(1.0, 1, 2.5)
    assert link.next_end() == 1.5
    assert link.end(1.5) == 1
    assert (link.next_end(), link.end(1.75)) == (1.75, 0)
    assert link.next_end() == math.inf


def test_the_least_loaded_queue_written_by_hand() -> None:
    loads = LeastLoaded(3)
    assert [loads.take() for _ in range(4)] == [0, 1, 2, 0]
    loads.give_back(1)
    assert [loads.take() for _ in range(3)] == [1, 1, 2]


def test_the_picture_and_the_table(tmp_path: Path) -> None:
    needs.MATPLOTLIB.require()
    found = [
        cost.queues("load", 0.8, 0.8, 1, 20),
        cost.queues("nodes", 10, 0.8, 10, 20),
        cost.flows(2, 4),
    ]
    for point in found:
        point.seconds = {tool: [2e-4, 1e-4, 3e-4] for tool in cost.TOOLS}
    del found[2].seconds["ciw"]
    assert cost.table(found).splitlines()[2:] == [
        "| load | 0.8 | 10 | 10 | 10 | 10 | 10 |",
        "| nodes | 10 | 10 | 10 | 10 | 10 | 10 |",
        "| flows | 2 | 50 | 50 | 50 | 50 | - |",
    ]
    page = tmp_path / "page.md"
    first, *rest = cost.table(found).splitlines()
    page.write_text("\n".join(["before", "", first, "|---|", "| old |", "", "after", ""]))
    cost.put_table(cost.table(found), page)
    assert page.read_text().splitlines() == ["before", "", first, *rest, "", "after"]
    cost.picture(found, tmp_path / "cost.svg")
    drawn = (tmp_path / "cost.svg").read_text()
    assert all(tool in drawn for tool in cost.TOOLS)
