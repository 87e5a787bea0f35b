"""Faults and recovery of a scenario: what goes together, and whom it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from edgesim.common.errors import nearest
from edgesim.common.validation import Path
from edgesim.hardware import (
    Device,
    Fault,
    FaultKind,
    Faults,
    Network,
    Node,
)
from edgesim.hardware.faults import OF_LINKS
from edgesim.scenario.findings import Findings
from edgesim.scenario.schema import NodeSpec, ScheduleSpec
from edgesim.simulate.recovery import Recovery

KEYS_OF_FAULTS = {
    "slow": ("speed",),
    "degrade": ("bandwidth", "latency", "loss"),
}
"""Keys of a scheduled fault that belong to one kind."""


def check_own_faults(findings: Findings, path: Path, faults: Faults | None, what: str) -> None:
    """Check the faults of a node or a link; ``what`` is the one or the other."""
    if faults is None:
        return
    random = [key for key in ("mtbf", "mttr") if findings.given((*path, key))]
    if len(random) == 1:
        findings.wrong(path, f"'mtbf' and 'mttr' go together, got '{random[0]}' alone")
    if bool(random) == bool(faults.schedule):
        came = "both" if random else "neither"
        findings.wrong(path, f"expected 'mtbf' and 'mttr', or a 'schedule', got {came}")
    for key in ("shape", "repair_shape"):
        if findings.given((*path, key)) and not random:
            findings.wrong((*path, key), f"'{key}' belongs to 'mtbf' and 'mttr'", True)
    outages = sorted(enumerate(faults.schedule), key=lambda entry: entry[1].at_s)
    for (_, one), (index, other) in pairwise(outages):
        if other.at_s < one.at_s + one.duration_s:
            message = (
                f"the {what} is still down at {other.at_s:g} s from the failure at {one.at_s:g} s"
            )
            findings.wrong((*path, "schedule", index), message)


def check_limits(findings: Findings, path: Path, spec: NodeSpec, device: Device | None) -> None:
    """Check that a device has what a node's own limits ask of it."""
    if device is None:
        return
    if spec.ambient_c is not None:
        thermal = device.thermal
        if thermal is None:
            message = (
                f"'{device.name}' has no thermal figures; give its device 'thermal', with "
                "resistance, time_constant, limit, release and speed"
            )
            findings.wrong((*path, "ambient"), message)
        elif spec.ambient_c >= thermal.release_c:
            message = (
                f"expected less than {thermal.release_c:g} °C, at which '{device.name}' "
                f"throttles no more, got {spec.ambient_c:g} °C"
            )
            findings.wrong((*path, "ambient"), message)
    for key in ("ambient", "battery"):
        if findings.given((*path, key)) and spec.host is not None:
            message = (
                f"'{key}' is of a whole machine, and this one shares '{spec.host}' with others"
            )
            findings.wrong((*path, key), message, True)
    if spec.exhaustion is not None and device.memory_capacity_bytes == float("inf"):
        findings.wrong((*path, "exhaustion"), f"'{device.name}' has no memory capacity", True)


def resolve_schedule(
    findings: Findings,
    spec: ScheduleSpec | None,
    nodes: Mapping[str, Node],
    network: Network | None,
) -> tuple[Fault, ...]:
    """Return the scheduled faults, by when they begin."""
    if spec is None:
        return ()
    if spec.schedule is None:
        if not any(one.path[:1] == ("faults",) for one in findings.problems):
            findings.wrong(("faults",), "expected a 'schedule', or a 'file' of faults")
        return ()
    found: list[tuple[int, Fault]] = []
    for index, one in enumerate(spec.schedule):
        path: Path = ("faults", "schedule", index)
        known = _known_target(findings, path, one, nodes, network)
        _check_keys(findings, path, one)
        if known:
            found.append((index, one))
    found.sort(key=lambda entry: entry[1].at_s)
    _check_overlap(findings, found)
    return tuple(fault for _, fault in found)


def _known_target(
    findings: Findings,
    path: Path,
    one: Fault,
    nodes: Mapping[str, Node],
    network: Network | None,
) -> bool:
    of_link = one.kind in OF_LINKS
    wanted, other = ("link", "node") if of_link else ("node", "link")
    name = one.link if of_link else one.node
    if name is None or getattr(one, other) is not None:
        came = f"'{other}'" if getattr(one, other) is not None else "neither"
        both = "both" if name is not None else came
        findings.wrong(path, f"'{one.kind}' is of a {wanted}: expected '{wanted}', got {both}")
        return False
    if not of_link:
        return findings.known_node((*path, "node"), name, nodes)
    if network is not None and name not in network.links:
        message = f"no link is named '{name}'{nearest(name, list(network.links))}"
        findings.wrong((*path, "link"), message)
    return network is not None and name in network.links


def _check_keys(findings: Findings, path: Path, one: Fault) -> None:
    for kind, keys in KEYS_OF_FAULTS.items():
        given = [key for key in keys if findings.given((*path, key))]
        if kind == one.kind and not given:
            message = f"'{kind}' needs " + " or ".join(f"'{key}'" for key in keys)
            findings.wrong(path, message)
        elif kind != one.kind:
            for key in given:
                findings.foreign((*path, key), (kind,), one.kind)


def _check_overlap(findings: Findings, found: Sequence[tuple[int, Fault]]) -> None:
    last: dict[tuple[str, FaultKind], Fault] = {}
    for index, fault in found:
        before = last.get((fault.target, fault.kind))
        if before is not None and fault.at_s < before.end_s:
            message = (
                f"the same fault of '{fault.target}' that began at {before.at_s:g} s still lasts "
                f"at {fault.at_s:g} s"
            )
            findings.wrong(("faults", "schedule", index), message)
        last[fault.target, fault.kind] = fault


def check_recovery(findings: Findings, recovery: Recovery, nodes: Mapping[str, Node]) -> None:
    """Check that recovery names nodes, each once, and pauses in order."""
    path: Path = ("recovery",)
    for index, name in enumerate(recovery.standby):
        if name in recovery.standby[:index]:
            findings.wrong((*path, "standby", index), f"'{name}' is named twice")
        findings.known_node((*path, "standby", index), name, nodes)
    retry = recovery.retry
    if retry is not None and retry.backoff_s > retry.longest_s:
        message = f"expected at most 'longest', {retry.longest_s:g} s, got {retry.backoff_s:g} s"
        findings.wrong((*path, "retry", "backoff"), message)
    source = None if recovery.reassign is None else recovery.reassign.source
    if source is not None:
        findings.known_node((*path, "reassign", "source"), source, nodes)
