"""From the validated file to a scenario: names become devices, graphs, links and nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath

from edgesim.common.validation import Path
from edgesim.hardware import Cluster
from edgesim.placement import PlacementRequest
from edgesim.scenario.findings import Findings
from edgesim.scenario.resolve_cluster import resolve_device, resolve_network, resolve_nodes
from edgesim.scenario.resolve_faults import check_recovery, resolve_schedule
from edgesim.scenario.resolve_model import resolve_model
from edgesim.scenario.resolve_placement import check_sizes, resolve_placement, resolve_strategy
from edgesim.scenario.resolve_traffic import resolve_traffic
from edgesim.scenario.scenario import Baseline, Scenario
from edgesim.scenario.schema import BaselineSpec, ScenarioSpec


def resolve(
    findings: Findings,
    name: str,
    document: Mapping[str, object],
    folder: FilePath,
) -> Scenario | None:
    """Return the scenario, or None after noting all that is wrong with it.

    Args:
        findings: the data; sections that are broken are left alone.
        name: of the scenario.
        document: that the scenario keeps.
        folder: of the scenario's file.
    """
    spec, broken = findings.spec, findings.broken
    if spec is None:
        return None
    hosts = {} if "hosts" in broken else {name: one.cores for name, one in spec.hosts.items()}
    nodes = {} if "nodes" in broken else resolve_nodes(findings, spec.nodes, hosts)
    network = None
    if not {"nodes", "network"} & broken:
        network = resolve_network(findings, spec.network, nodes)
    faults = resolve_schedule(findings, spec.faults, nodes, network)
    check_recovery(findings, spec.recovery, nodes)
    tasks = spec.model.tasks is not None
    model = None
    if "model" not in broken:
        model = resolve_model(findings, spec.model, name, nodes, network, folder)
    strategy, candidates = "manual", tuple[str, ...]()
    if "placement" not in broken:
        strategy = resolve_strategy(findings, spec.placement, tasks)
        candidates = resolve_placement(findings, strategy, nodes)
        if model is not None and not tasks:
            check_sizes(findings, strategy, model)
    baselines = _baselines(findings, spec)
    if "traffic" in broken:
        return None
    traffic = resolve_traffic(findings)
    if findings.problems or model is None or network is None or traffic is None:
        return None
    given = {key: one for key, one in findings.placement.items() if key != "nodes"}
    return Scenario(
        name=name,
        seed=spec.seed,
        strategy=strategy,
        placement=PlacementRequest(
            model=model,
            cluster=Cluster(nodes=nodes, network=network, hosts=hosts, faults=faults),
            input_node=given.pop("input", None),
            fusion_node=given.pop("fusion", None),
            nodes=candidates,
            options=given,
            standby=spec.recovery.standby,
        ),
        traffic=traffic,
        recovery=spec.recovery,
        baselines=baselines,
        replications=spec.replications,
        document=document,
    )


def _baselines(findings: Findings, spec: ScenarioSpec) -> tuple[Baseline, ...]:
    found: dict[str, Baseline] = {}
    if {"baselines", "model"} & findings.broken:
        return ()
    for index, one in enumerate(spec.baselines):
        baseline = _baseline(findings, spec, one, index)
        if baseline is None:
            continue
        if baseline.name in found:
            message = f"two baselines are named '{baseline.name}'; give one another 'name'"
            findings.wrong(("baselines", index), message)
        found[baseline.name] = baseline
    return tuple(found.values())


def _baseline(
    findings: Findings, spec: ScenarioSpec, one: BaselineSpec, index: int
) -> Baseline | None:
    path: Path = ("baselines", index)
    if spec.model.tasks is not None:
        findings.wrong(path, "a task graph has no whole model to run on one device")
        return None
    name = one.name or (one.device if isinstance(one.device, str) else f"baseline-{index}")
    device = resolve_device(findings, (*path, "device"), name, one.device)
    if device is None:
        return None
    precision = one.precision or spec.model.precision
    if precision not in device.precisions():
        known = f"it has {', '.join(device.precisions())}; give {{device: …, precision: …}}"
        findings.wrong(path, f"'{name}' does not compute in {precision}; {known}")
    return Baseline(name=name, device=device, precision=precision)
