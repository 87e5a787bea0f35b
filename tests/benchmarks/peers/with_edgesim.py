"""The models in edgesim: the whole engine, with its recording."""

from __future__ import annotations

from typing import Any

from edgesim.placement.plan import Branch, Plan
from edgesim.simulate import simulate
from edgesim.simulate.arrivals import Poisson, Trace
from tests.edgesim.simulate.models import cluster, link, node, plan, task


def queues(given: dict[str, Any]) -> list[float]:
    """Return the wait of each request; each joins the least loaded of the queues."""
    names = [f"n{number}" for number in range(given["queues"])]
    where = cluster([node(name, variability="exponential") for name in names])
    branches = tuple(Branch(tasks=(task("t", name, 1.0),), transfers=()) for name in names)
    what = Plan(strategy="replicate", precision="fp32", branches=branches)
    traffic = Poisson(requests=given["requests"], rate_per_s=given["rate_per_s"])
    recording = simulate(what, where, traffic, seed=given["seed"], trace_requests=0)
    waits: list[float] = recording.breakdown_s["queue"].tolist()
    return waits


def flows(given: dict[str, Any]) -> list[float]:
    """Return the time of each flow over one link."""
    starts = given["starts_s"]
    where = cluster(
        [node("A"), node("B")], [link("wire", given["capacity"])], {("A", "B"): ["wire"]}
    )
    what = plan([task("t", "B", 0.0)], [(None, "t", given["size"])], input_node="A")
    traffic = Trace(requests=len(starts), times_s=tuple(starts))
    recording = simulate(what, where, traffic, seed=0, trace_requests=0)
    times: list[float] = recording.latency_s.tolist()
    return times
