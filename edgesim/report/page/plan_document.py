"""``plan.json``: the plan, the routes, and every figure of its devices with where it comes from."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edgesim.common.files import SCHEMA
from edgesim.hardware.explanation import Row
from edgesim.placement import Plan
from edgesim.scenario.scenario import Scenario

if TYPE_CHECKING:
    from edgesim.hardware import Device
    from edgesim.placement.plan import Branch

MOST_BRANCHES = 64
"""Alternatives of which every task is listed."""
_MOST_RECTANGLES = 1200


def plan_document(scenario: Scenario, plan: Plan) -> dict[str, Any]:
    """Return what the page shows beyond the summary and the tables, as plain data.

    Bytes are of one sample, watts and seconds in SI units. Alternatives beyond `MOST_BRANCHES` are
    only counted.
    """
    cluster = scenario.cluster
    branches = plan.branches[:MOST_BRANCHES]
    devices = {node.device.name: node.device for node in cluster.nodes.values()}
    for row in scenario.baselines:
        devices.setdefault(row.device.name, row.device)
    return {
        "schema": SCHEMA,
        "warmup": scenario.traffic.warmup,
        "input_node": plan.input_node,
        "output_node": plan.output_node,
        "branches_in_all": len(plan.branches),
        "branches": [_branch(one) for one in branches],
        "nodes": {
            name: {"device": node.device.name, "cores": node.device.cores, "host": node.host}
            for name, node in cluster.nodes.items()
        },
        "routes": [[*ends, links] for ends, links in routes(scenario, plan).items()],
        "devices": {name: list(_figures(scenario, devices[name])) for name in sorted(devices)},
        "optics": list(_optics(scenario, plan)),
    }


def _branch(branch: Branch) -> dict[str, Any]:
    return {
        "tasks": [
            {
                "name": task.name,
                "node": task.node,
                "kind": task.kind,
                "memory_bytes": task.memory_bytes,
                "macs": float(task.graph.macs) if task.graph is not None else task.flop / 2,
                "cores": task.cores,
                "optional": task.optional,
            }
            for task in branch.tasks
        ],
        "transfers": [[one.source, one.target, one.bytes] for one in branch.transfers],
    }


def routes(scenario: Scenario, plan: Plan) -> dict[tuple[str, str], list[str]]:
    """Return the links between every two nodes between which the plan sends."""
    found: dict[tuple[str, str], list[str]] = {}
    for source, branch in ((one, branch) for one in plan.sources for branch in one.branches):
        places = {task.name: task.node for task in branch.tasks}
        for one in branch.transfers:
            ends = source.ends(one, places)
            if ends[0] != ends[1] and ends not in found:
                hops = scenario.cluster.network.route(*ends) or ()
                found[ends] = list(dict.fromkeys(hop.link for hop in hops))
    return found


def _figures(scenario: Scenario, device: Device) -> Iterator[list[str]]:
    """Yield (figure, value, source) of a device as its entry, or the scenario, says them."""
    from edgesim.hardware import catalog
    from edgesim.report.device_tables import figure_text, figures

    inline, name = _inline(scenario.document), device.name
    if name in inline:
        entry: Mapping[str, Any] = inline[name]
    elif name in catalog.names():
        entry = catalog.entry(name)
    else:
        return
    for row in figures(entry, device):
        source = row["source"] or ("the scenario" if name in inline else "")
        yield [row["figure"], figure_text(row["figure"], row["value"]), source]


def _inline(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the devices that a scenario describes itself, by the node that they are named for."""
    found: dict[str, Mapping[str, Any]] = {}
    nodes = document.get("nodes")
    for name, node in nodes.items() if isinstance(nodes, Mapping) else ():
        if isinstance(node, Mapping) and isinstance(node.get("device"), Mapping):
            found[str(name)] = node["device"]
    return found


def _optics(scenario: Scenario, plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield the picture of the layer that takes longest on each device that draws its layers."""
    seen = set()
    for branch in plan.branches:
        for task in branch.tasks:
            device = scenario.cluster.nodes[task.node].device
            if task.graph is None or device.name in seen:
                continue
            seen.add(device.name)
            found = device.explain(task.graph, plan.precision, scenario.traffic.samples)
            drawn = [row for row in found.rows if row.picture is not None]
            if drawn:
                yield _drawn(task.node, max(drawn, key=lambda row: row.time_s))


def _drawn(node: str, row: Row) -> dict[str, Any]:
    assert row.picture is not None
    name, figures = row.operators[0], row.picture.figures
    drawing = row.picture.svg(f"{name}: one frame", most_rectangles=_MOST_RECTANGLES)
    return {
        "node": node,
        "layer": name,
        "shape": row.figures["shape"],
        "plane": figures["plane"],
        "planes": figures["planes"],
        "frames": row.figures["frames"],
        "time_s": row.time_s if math.isfinite(row.time_s) else None,
        "use": figures["use"],
        "svg": base64.b64encode(drawing.encode()).decode(),
    }
