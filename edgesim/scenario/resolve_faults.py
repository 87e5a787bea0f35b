"""Faults and recovery of a scenario: what goes together, and whom it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from edgesim.common.errors import nearest
from edgesim.common.validation import Path
from edgesim.hardware import (
    Battery,
    Device,
    Exhaustion,
    Fault,
    FaultKind,
    Faults,
    Network,
    Node,
    Outage,
)
from edgesim.hardware.faults import OF_LINKS
from edgesim.scenario.findings import Findings
from edgesim.scenario.schema_cluster import NodeSpec
from edgesim.scenario.schema_faults import FaultSpec, FaultsSpec, RecoverySpec, ScheduleSpec
from edgesim.simulate.recovery import Health, Reassign, Recovery, Retry
from edgesim.simulate.thermal import thermal_of

KEYS_OF_FAULTS = {
    "slow": ("speed",),
    "degrade": ("bandwidth", "latency", "loss"),
}
"""Keys of a scheduled fault that belong to one kind."""


def resolve_own_faults(
    findings: Findings, path: Path, spec: FaultsSpec | None, what: str
) -> Faults | None:
    """Return the faults of a node or a link; ``what`` is the one or the other."""
    if spec is None:
        return None
    random = [key for key in ("mtbf", "mttr") if getattr(spec, key) is not None]
    if len(random) == 1:
        findings.wrong(path, f"'mtbf' and 'mttr' go together, got '{random[0]}' alone")
    if bool(random) == (spec.schedule is not None):
        came = "both" if random else "neither"
        findings.wrong(path, f"expected 'mtbf' and 'mttr', or a 'schedule', got {came}")
    for key in ("shape", "repair_shape"):
        if getattr(spec, key) is not None and not random:
            findings.wrong((*path, key), f"'{key}' belongs to 'mtbf' and 'mttr'", True)
    outages = sorted(enumerate(spec.schedule or ()), key=lambda entry: entry[1].at)
    for (_, one), (index, other) in pairwise(outages):
        if other.at < one.at + one.duration:
            told = f"the {what} is still down at {other.at:g} s from the failure at {one.at:g} s"
            findings.wrong((*path, "schedule", index), told)
    return Faults(
        mtbf_s=spec.mtbf,
        mttr_s=spec.mttr,
        shape=spec.shape or 1.0,
        repair_shape=spec.repair_shape or 1.0,
        schedule=tuple(Outage(at_s=one.at, duration_s=one.duration) for _, one in outages),
    )


def battery(spec: NodeSpec) -> Battery | None:
    """Return the battery of a node."""
    if spec.battery is None:
        return None
    return Battery(
        capacity_j=spec.battery.capacity,
        charge=spec.battery.charge,
        recharge_w=spec.battery.recharge,
        restart=spec.battery.restart,
    )


def exhaustion(spec: NodeSpec) -> Exhaustion | None:
    """Return how the memory of a node fills up."""
    return None if spec.exhaustion is None else Exhaustion(leak_bytes=spec.exhaustion.leak)


def check_limits(findings: Findings, path: Path, spec: NodeSpec, device: Device | None) -> None:
    """Check that a device has what a node's own limits ask of it."""
    if device is None:
        return
    if spec.ambient is not None:
        thermal = thermal_of(device)
        if thermal is None:
            told = (
                f"'{device.name}' has no thermal figures; give its device 'thermal', with "
                "resistance, time_constant, limit, release and speed"
            )
            findings.wrong((*path, "ambient"), told)
        elif spec.ambient >= thermal.release_c:
            told = (
                f"expected less than {thermal.release_c:g} °C, at which '{device.name}' "
                f"throttles no more, got {spec.ambient:g} °C"
            )
            findings.wrong((*path, "ambient"), told)
    for key in ("ambient", "battery"):
        if getattr(spec, key) is not None and spec.host is not None:
            told = f"'{key}' is of a whole machine, and this one shares '{spec.host}' with others"
            findings.wrong((*path, key), told, True)
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
        if not findings.validated.problems:
            findings.wrong(("faults",), "expected a 'schedule', or a 'file' of faults")
        return ()
    found: list[tuple[int, Fault]] = []
    for index, one in enumerate(spec.schedule):
        path: Path = ("faults", "schedule", index)
        target = _target(findings, path, one, nodes, network)
        _check_keys(findings, path, one)
        if target is None:
            continue
        fault = Fault(
            at_s=one.at,
            duration_s=one.duration,
            kind=FaultKind(one.kind),
            target=target,
            speed=one.speed if one.speed is not None else 1.0,
            bandwidth_byte_s=one.bandwidth,
            latency_s=one.latency or 0.0,
            loss=one.loss or 0.0,
        )
        found.append((index, fault))
    found.sort(key=lambda entry: entry[1].at_s)
    _check_overlap(findings, found)
    return tuple(fault for _, fault in found)


def _target(
    findings: Findings,
    path: Path,
    one: FaultSpec,
    nodes: Mapping[str, Node],
    network: Network | None,
) -> str | None:
    of_link = one.kind in OF_LINKS
    wanted, other = ("link", "node") if of_link else ("node", "link")
    name = one.link if of_link else one.node
    if name is None or getattr(one, other) is not None:
        came = f"'{other}'" if getattr(one, other) is not None else "neither"
        both = "both" if name is not None else came
        findings.wrong(path, f"'{one.kind}' is of a {wanted}: expected '{wanted}', got {both}")
        return None
    if not of_link:
        return name if findings.known_node((*path, "node"), name, nodes) else None
    if network is None:
        return None
    if name not in network.links:
        told = f"no link is named '{name}'{nearest(name, list(network.links))}"
        findings.wrong((*path, "link"), told)
        return None
    return name


def _check_keys(findings: Findings, path: Path, one: FaultSpec) -> None:
    for kind, keys in KEYS_OF_FAULTS.items():
        given = [key for key in keys if getattr(one, key) is not None]
        if kind == one.kind and not given:
            told = f"'{kind}' needs " + " or ".join(f"'{key}'" for key in keys)
            findings.wrong(path, told)
        elif kind != one.kind:
            for key in given:
                told = f"'{key}' belongs to {kind}, not to {one.kind}"
                findings.wrong((*path, key), told, True)


def _check_overlap(findings: Findings, found: Sequence[tuple[int, Fault]]) -> None:
    last: dict[tuple[str, FaultKind], Fault] = {}
    for index, fault in found:
        before = last.get((fault.target, fault.kind))
        if before is not None and fault.at_s < before.end_s:
            told = (
                f"the same fault of '{fault.target}' that began at {before.at_s:g} s still lasts "
                f"at {fault.at_s:g} s"
            )
            findings.wrong(("faults", "schedule", index), told)
        last[fault.target, fault.kind] = fault


def resolve_recovery(findings: Findings, spec: RecoverySpec, nodes: Mapping[str, Node]) -> Recovery:
    """Return how the cluster deals with faults."""
    path: Path = ("recovery",)
    standby: dict[str, None] = {}
    for index, name in enumerate(spec.standby):
        if name in standby:
            findings.wrong((*path, "standby", index), f"'{name}' is named twice")
        findings.known_node((*path, "standby", index), name, nodes)
        standby[name] = None
    retry = spec.retry
    if retry is not None and retry.backoff > retry.longest:
        told = f"expected at most 'longest', {retry.longest:g} s, got {retry.backoff:g} s"
        findings.wrong((*path, "retry", "backoff"), told)
    source = None if spec.reassign is None else spec.reassign.source
    if source is not None:
        findings.known_node((*path, "reassign", "source"), source, nodes)
    return Recovery(
        deadline_s=spec.deadline,
        retry=None
        if retry is None
        else Retry(
            attempts=retry.attempts,
            timeout_s=retry.timeout,
            backoff_s=retry.backoff,
            longest_s=retry.longest,
        ),
        hedge_after_s=None if spec.hedge is None else spec.hedge.after,
        standby=tuple(standby),
        reassign=None
        if spec.reassign is None
        else Reassign(after_s=spec.reassign.after, source=source, load_byte_s=spec.reassign.load),
        degrade=spec.degrade,
        health=None
        if spec.health is None
        else Health(interval_s=spec.health.interval, strikes=spec.health.strikes),
    )
