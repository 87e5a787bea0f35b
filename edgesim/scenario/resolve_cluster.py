"""Nodes, devices and the network of a scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import ValidationError

from edgesim.errors import InputError
from edgesim.hardware import Device, Duplex, Faults, Link, Network, Node, Outage, catalog
from edgesim.hardware.topology import from_links, star, wifi
from edgesim.scenario.findings import Findings
from edgesim.scenario.schema import LinkSpec, MediumSpec, NetworkSpec, NodeSpec, WifiSpec
from edgesim.validation import Path, Problem, problems


def resolve_device(
    findings: Findings, path: Path, name: str, what: str | dict[str, Any]
) -> Device | None:
    """Return a device of the catalog, or the one that an inline mapping describes."""
    if isinstance(what, str):
        device: Device | None = findings.told(path, lambda: catalog.device(what))
        return device
    try:
        kind, spec = catalog.spec_of(what)
    except ValidationError as error:
        model = catalog.kind(what.get("kind", "processor")).spec()
        findings.problems += [
            Problem((*path, *one.path), one.message, one.at_key) for one in problems(error, model)
        ]
        return None
    except InputError as error:
        findings.wrong((*path, "kind"), str(error).removeprefix("kind: "))
        return None
    return kind.from_spec(name, spec)


def resolve_nodes(findings: Findings, specs: Mapping[str, NodeSpec]) -> dict[str, Node]:
    """Return the nodes by name, counted ones each with its number."""
    found: dict[str, Node] = {}
    for name, spec in specs.items():
        path: Path = ("nodes", name)
        device = resolve_device(findings, (*path, "device"), name, spec.device)
        names = [name] if spec.count is None else [f"{name}-{i}" for i in range(spec.count)]
        for one in names:
            if one in found:
                findings.wrong(path, f"two nodes are named '{one}'")
            elif device is not None:
                found[one] = _node(one, device, spec)
    return found


def resolve_network(
    findings: Findings, spec: NetworkSpec | None, nodes: list[str]
) -> Network | None:
    """Return the network; nodes without one talk to nobody."""
    if spec is None:
        return from_links(nodes, [])
    if spec.switch is not None:
        return star(nodes, duplex=Duplex(spec.switch.duplex), **_figures(spec.switch))
    if spec.wifi is not None:
        return wifi(nodes, **_figures(spec.wifi))
    return _links(findings, spec, nodes)


def _links(findings: Findings, spec: NetworkSpec, nodes: list[str]) -> Network | None:
    """Return a network of explicit links."""
    assert spec.links is not None
    links = [
        Link(name=name, duplex=Duplex(one.duplex), ends=one.ends, **_figures(one))
        for name, one in spec.links.items()
    ]
    routes: dict[tuple[str, str], Sequence[str]] = {}
    for index, route in enumerate(spec.routes):
        ends = (route.source, route.target)
        path: Path = ("network", "routes", index)
        if ends in routes:
            findings.wrong(path, f"a second route from '{ends[0]}' to '{ends[1]}'")
        routes[ends] = route.links
        # Each by itself, so that the problem stands where it is.
        findings.told(path, partial(from_links, nodes, links, {ends: route.links}))
    if any(problem.path[:2] == ("network", "routes") for problem in findings.problems):
        return None
    network: Network | None = findings.told(("network",), lambda: from_links(nodes, links, routes))
    return network


def _figures(spec: MediumSpec | WifiSpec | LinkSpec) -> dict[str, Any]:
    return {
        "bandwidth_byte_s": spec.bandwidth,
        "latency_s": spec.latency,
        "energy_per_byte_j": spec.energy_per_byte,
        "power_w": spec.power,
    }


def _node(name: str, device: Device, spec: NodeSpec) -> Node:
    faults = None
    if spec.faults is not None:
        faults = Faults(
            mtbf_s=spec.faults.mtbf,
            mttr_s=spec.faults.mttr,
            schedule=tuple(
                Outage(at_s=one.at, duration_s=one.duration) for one in spec.faults.schedule
            ),
        )
    return Node(
        name=name,
        device=device,
        queue=spec.queue,
        batch_max=spec.batch.max,
        batch_wait_s=spec.batch.wait,
        variability=spec.variability.kind,
        cv=spec.variability.cv or 0.0,
        address=spec.address,
        faults=faults,
    )
