"""From the validated file to a scenario: names become devices, graphs, links and nodes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path as FilePath

from edgesim.common.validation import Path
from edgesim.hardware import Cluster
from edgesim.placement import PlacementRequest
from edgesim.scenario.findings import Findings
from edgesim.scenario.resolve_baselines import resolve_baselines
from edgesim.scenario.resolve_cluster import resolve_network, resolve_nodes
from edgesim.scenario.resolve_faults import check_recovery, resolve_schedule
from edgesim.scenario.resolve_model import resolve_model
from edgesim.scenario.resolve_placement import (
    check_payload,
    check_sizes,
    resolve_placement,
    resolve_strategy,
)
from edgesim.scenario.scenario import Scenario
from edgesim.simulate import Traffic
from edgesim.simulate.arrivals import Paced, Trace
from edgesim.simulate.rates import Rates

LONGEST_S = 1e12
"""Simulated seconds beyond which a double does not resolve milliseconds."""


def resolve(
    findings: Findings,
    name: str,
    document: Mapping[str, object],
    folder: FilePath,
) -> Scenario | None:
    """Return the scenario, or None after noting all that is wrong with it.

    Args:
        findings: the data; sections that are broken are left alone.
        name: name of the scenario.
        document: resolved plain data, which the scenario keeps.
        folder: folder of the scenario's file.
    """
    spec, broken = findings.spec, findings.broken
    if spec is None:
        return None
    hosts = {} if "hosts" in broken else {name: one.cores for name, one in spec.hosts.items()}
    nodes = {} if "nodes" in broken else resolve_nodes(findings, spec, hosts)
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
    baselines = resolve_baselines(findings, spec, model)
    _check_queues(findings)
    check_payload(findings, model)
    if "traffic" in broken:
        return None
    traffic = _traffic(findings)
    if findings.problems or model is None or network is None or traffic is None:
        return None
    given = {key: one for key, one in findings.placement.items() if key != "nodes"}
    inputs = given.pop("input", ())
    return Scenario(
        name=name,
        seed=spec.seed,
        strategy=strategy,
        placement=PlacementRequest(
            model=model,
            cluster=Cluster(nodes=nodes, network=network, hosts=hosts, faults=faults),
            input_node=inputs[0] if inputs else None,
            inputs=inputs,
            fusion_node=given.pop("fusion", None),
            nodes=candidates,
            options=given,
            standby=spec.recovery.standby,
            payload=traffic.payload,
        ),
        traffic=traffic,
        recovery=spec.recovery,
        baselines=baselines,
        replications=spec.replications,
        document=document,
    )


def _check_queues(findings: Findings) -> None:
    """Check that what queues order by, or drop for, is there."""
    spec, traffic = findings.spec, findings.traffic
    if spec is None or traffic is None or traffic.deadline_s is not None:
        return
    for name, one in spec.nodes.items():
        path: Path = ("nodes", name, "queue")
        if one.queue.order == "edf":
            message = "edf serves the earliest deadline first: give 'traffic' a 'deadline'"
            findings.wrong(path, message)
        if one.queue.skip_late:
            message = "skip_late drops what misses its deadline: give 'traffic' a 'deadline'"
            findings.wrong(path, message)


def _traffic(findings: Findings) -> Traffic | None:
    """Return the traffic, a trace with all its times; None after noting what is wrong with it."""
    traffic = findings.traffic
    if isinstance(traffic, Trace):
        traffic = _trace(findings, traffic)
    if traffic is None:
        return None
    traffic = replace(traffic, sources=max(1, len(findings.placement.get("input", ()))))
    requests = traffic.requests
    if isinstance(traffic, Paced) and _ends_early(findings, traffic):
        return None
    rate = traffic.offered_per_s
    if traffic.warmup >= requests:
        findings.wrong(
            ("traffic", "warmup"),
            f"a warmup of {traffic.warmup:,} leaves nothing of {requests:,} requests",
        )
    if rate is not None and requests / rate > LONGEST_S:
        findings.wrong(
            ("traffic", "rate"),
            f"at {rate:g}/s, {requests:,} requests take {requests / rate:.1e} seconds; "
            f"expected at most {LONGEST_S:.0e}",
        )
    return traffic


def _ends_early(findings: Findings, traffic: Paced) -> bool:
    """Note where rates end before all requests have come on average."""
    rates = traffic.rate_per_s
    if not isinstance(rates, Rates):
        return False
    expected = rates.expected * traffic.sources
    if expected >= traffic.requests:
        return False
    end_s = rates.steps[-1].until_s
    after = "the last rate is 0" if end_s is None else f"the rates end at {end_s:g} s"
    most = int(expected)
    findings.wrong(
        ("traffic", "rate"),
        f"{after}, when {expected:,.15g} requests have come on average, and "
        f"{traffic.requests:,} are asked: leave out the last 'until', or write {{steps: …, "
        f"repeat: true}}, or at most {most:,} requests",
    )
    return True


def _trace(findings: Findings, traffic: Trace) -> Trace | None:
    """Return a trace of as many times as there are requests."""
    times_s = traffic.times_s
    if findings.given(("traffic", "times")) == findings.given(("traffic", "file")):
        message = "trace needs either 'times' or a 'file' of them"
        findings.wrong(("traffic", "arrivals"), message)
        return None
    if not times_s:
        # Its file could not be read.
        return None
    if traffic.file is None:
        for index, (one, other) in enumerate(itertools.pairwise(times_s), start=1):
            if other < one:
                path: Path = ("traffic", "times", index)
                findings.wrong(path, f"expected ascending times, got {other:g} s after {one:g} s")
                break
    if times_s[-1] > LONGEST_S:
        findings.wrong(
            ("traffic", "times" if traffic.file is None else "file"),
            f"expected times up to {LONGEST_S:.0e} s, got {max(times_s):g} s",
        )
    if traffic.requests > len(times_s):
        findings.wrong(
            ("traffic", "requests"),
            f"expected at most {len(times_s):,}, the times that the trace has, got "
            f"{traffic.requests:,}",
        )
    requests = traffic.requests or len(times_s)
    return replace(traffic, requests=requests, times_s=times_s[:requests], file=None)
