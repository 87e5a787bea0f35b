"""Nodes, devices and the network of a scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from edgesim.common.errors import nearest
from edgesim.common.text import size
from edgesim.common.validation import Path, values
from edgesim.hardware import Device, Duplex, Link, Medium, Network, Node, NodeOptions, catalog
from edgesim.hardware.runtimes import RuntimeChoice, with_runtime
from edgesim.hardware.topology import from_links, star, wifi
from edgesim.scenario.findings import Findings
from edgesim.scenario.resolve_faults import check_limits, check_own_faults
from edgesim.scenario.schema import NetworkSpec, NodeSpec, ScenarioSpec, WifiSpec

MOST_NODES = 100_000
_NETWORKS = ("switch", "wifi", "links")


def resolve_device(
    findings: Findings, path: Path, name: str, what: str | dict[str, Any]
) -> Device | None:
    """Return a device of the catalog, or the one that an inline mapping describes."""
    if isinstance(what, str):
        return findings.attempt(path, lambda: catalog.device(what))
    found = catalog.checked(name, what)
    if isinstance(found, list):
        findings.problems += [replace(one, path=(*path, *one.path)) for one in found]
        return None
    return found


def resolve_runtime(
    findings: Findings, path: Path, device: Device, choice: RuntimeChoice, precision: str
) -> Device:
    """Return a device with a runtime, or as it is after noting why it cannot have this one."""
    return findings.attempt(path, lambda: with_runtime(device, choice, precision)) or device


def _with_runtime(
    findings: Findings, path: Path, spec: ScenarioSpec, node: NodeSpec, device: Device | None
) -> Device | None:
    """Return a node's device with the node's runtime."""
    if device is None or node.runtime is None or "model" in findings.broken:
        return device
    if spec.model.tasks is not None:
        message = "a task graph has no operators whose times depend on a runtime; leave it out"
        findings.wrong((*path, "runtime"), message)
        return device
    if spec.model.precision not in device.precisions():
        return device  # the plan says so, if the node is to compute
    return resolve_runtime(findings, (*path, "runtime"), device, node.runtime, spec.model.precision)


def resolve_nodes(
    findings: Findings, whole: ScenarioSpec, hosts: Mapping[str, int]
) -> dict[str, Node]:
    """Return the nodes by name, counted ones each with its number; ``hosts`` by their cores."""
    found: dict[str, Node] = {}
    specs = whole.nodes
    addresses: dict[str, str] = {}
    total = sum(spec.count or 1 for spec in specs.values())
    if total > MOST_NODES:
        findings.wrong(("nodes",), f"expected at most {MOST_NODES:,} nodes, got {total:,}")
        return {}
    for name, spec in specs.items():
        path: Path = ("nodes", name)
        device = resolve_device(findings, (*path, "device"), name, spec.device)
        device = _with_runtime(findings, path, whole, spec, device)
        _check_variability(findings, path, spec, device)
        _check_reserve(findings, path, spec, device)
        _check_host(findings, path, spec, device, hosts)
        check_limits(findings, path, spec, device)
        check_own_faults(findings, (*path, "faults"), spec.faults, "node")
        options = values(spec, NodeOptions)
        names = [name] if spec.count is None else [f"{name}-{i}" for i in range(spec.count)]
        reached: Sequence[str | None] = spec.address or [None] * len(names)
        if len(reached) != len(names):
            message = f"expected {len(names)}, one for each node, got {len(reached)}"
            findings.wrong((*path, "address"), message)
            reached = [None] * len(names)
        for one, address in zip(names, reached, strict=True):
            if address is not None and addresses.setdefault(address, one) != one:
                message = f"'{addresses[address]}' and '{one}' have the same address, {address}"
                findings.wrong((*path, "address"), message)
            if one in findings.declared:
                findings.wrong(path, f"two nodes are named '{one}'", True)
                continue
            findings.declared[one] = None
            if device is not None:
                found[one] = Node(name=one, device=device, address=address, **options)
    return found


def _check_reserve(findings: Findings, path: Path, spec: NodeSpec, device: Device | None) -> None:
    reserve = spec.reserve_bytes
    if device is None or reserve is None or reserve < device.memory_capacity_bytes:
        return
    message = (
        f"expected less than the memory of '{device.name}', {size(device.memory_capacity_bytes)}, "
        f"got {size(reserve)}"
    )
    findings.wrong((*path, "reserve"), message)


def _check_host(
    findings: Findings,
    path: Path,
    spec: NodeSpec,
    device: Device | None,
    hosts: Mapping[str, int],
) -> None:
    name = spec.host
    if name is None or "hosts" in findings.broken:
        return
    if name not in hosts:
        message = f"no host is named '{name}'{nearest(name, list(hosts))}; 'hosts' lists them"
        findings.wrong((*path, "host"), message)
    elif device is not None and device.cores > hosts[name]:
        message = f"'{name}' has {hosts[name]} cores, and the device {device.cores}"
        findings.wrong((*path, "host"), message)


def _check_variability(
    findings: Findings, path: Path, spec: NodeSpec, device: Device | None
) -> None:
    kind, cv = spec.variability.kind, spec.variability.cv
    if kind == "measured" and device is not None and not device.spread:
        message = f"'{device.name}' has no measured spread; `edgesim profile` finds one"
        findings.wrong((*path, "variability"), message)
    if kind == "lognormal" and cv is None:
        message = "lognormal needs 'cv', as in {kind: lognormal, cv: 0.2}"
        findings.wrong((*path, "variability"), message)
    if kind != "lognormal" and cv is not None:
        findings.wrong((*path, "variability", "cv"), f"belongs to lognormal, not to {kind}", True)


def resolve_network(
    findings: Findings, spec: NetworkSpec | None, nodes: Mapping[str, Node]
) -> Network | None:
    """Return the network of all declared nodes; without a section they talk to nobody."""
    names = list(findings.declared)
    if spec is None:
        return from_links(names, [])
    given = [key for key in _NETWORKS if getattr(spec, key) is not None]
    if len(given) != 1:
        came = " and ".join(f"'{key}'" for key in given) or "none of them"
        findings.wrong(("network",), f"expected one of 'switch', 'wifi' or 'links', got {came}")
        return None
    if spec.routes and spec.links is None:
        findings.wrong(("network", "routes"), "belong to 'links', which are not given", True)
    if spec.switch is not None:
        check_own_faults(findings, ("network", "switch", "faults"), spec.switch.faults, "link")
        duplex = Duplex(spec.switch.duplex)
        return star(names, duplex=duplex, **values(spec.switch, Medium))
    if spec.wifi is not None:
        check_own_faults(findings, ("network", "wifi", "faults"), spec.wifi.faults, "link")
        return _wifi(findings, spec.wifi)
    assert spec.links is not None
    return _links(findings, spec, spec.links, nodes)


def _wifi(findings: Findings, spec: WifiSpec) -> Network | None:
    """Return a network of one medium, its access point checked where it stands."""
    names = list(findings.declared)
    path: Path = ("network", "wifi", "access_point")
    if findings.may_be_node(spec.access_point):
        # The section `nodes` has an error of its own; what it meant is not known.
        return None
    if findings.stands_for_many(path, spec.access_point):
        return None
    make = partial(wifi, names, spec.access_point, **values(spec, Medium))
    return findings.attempt(path, make)


def _links(
    findings: Findings, spec: NetworkSpec, given: Mapping[str, Link], nodes: Mapping[str, Node]
) -> Network | None:
    """Return a network of explicit links, each route checked where it stands."""
    before = len(findings.problems)
    names = list(findings.declared)
    _check_ends(findings, given)
    links = {}
    for name, link in given.items():
        path: Path = ("network", "links", name)
        check_own_faults(findings, (*path, "faults"), link.faults, "link")
        if findings.attempt(path, partial(from_links, names, [link])) is not None:
            links[name] = link
    if len(findings.problems) > before:
        return None
    routes: dict[tuple[str, str], Sequence[str]] = {}
    for index, route in enumerate(spec.routes):
        path = ("network", "routes", index)
        source = findings.known_node((*path, "from"), route.source, nodes)
        target = findings.known_node((*path, "to"), route.target, nodes)
        if not (source and target) or _unknown_links(findings, path, route.links, given):
            continue
        pair = (route.source, route.target)
        if pair in routes:
            findings.wrong(path, f"a second route from '{pair[0]}' to '{pair[1]}'")
        routes[pair] = route.links
        crossed = [links[name] for name in dict.fromkeys(route.links)]
        findings.attempt(path, partial(from_links, names, crossed, {pair: route.links}))
    if len(findings.problems) > before:
        return None
    return findings.attempt(("network",), lambda: from_links(names, list(links.values()), routes))


def _unknown_links(
    findings: Findings, path: Path, names: Sequence[str], links: Mapping[str, Link]
) -> bool:
    unknown = [(index, name) for index, name in enumerate(names) if name not in links]
    for index, name in unknown:
        message = f"no link is named '{name}'{nearest(name, list(links))}"
        findings.wrong((*path, "links", index), message)
    return bool(unknown)


def _check_ends(findings: Findings, links: Mapping[str, Link]) -> None:
    """Check the names at the ends of links; one that no other link has is no switch."""
    met = Counter(end for one in links.values() for end in set(one.ends or ()))
    for name, one in links.items():
        for index, end in enumerate(one.ends or ()):
            path: Path = ("network", "links", name, "ends", index)
            if end in findings.declared or findings.may_be_node(end):
                continue
            if not findings.stands_for_many(path, end) and met[end] == 1:
                known = [
                    *findings.declared,
                    *(switch for switch, times in met.items() if times > 1),
                ]
                findings.wrong(
                    path,
                    f"no node is named '{end}', nor a switch that another link ends at"
                    f"{nearest(end, known)}",
                )
