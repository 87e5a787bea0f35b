"""The result of a run: what `summary.json` holds, and the recordings that it was made of."""

from __future__ import annotations

import math
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesim.common.files import SCHEMA
from edgesim.hardware import Node
from edgesim.placement import Plan
from edgesim.placement.bounds import bottleneck
from edgesim.placement.standby import standby_bytes
from edgesim.results import accuracy, faults, mlperf
from edgesim.results.baselines import BaselineRow, mean_latency_s
from edgesim.results.statistics import latency_intervals, latency_summary, settled
from edgesim.scenario.scenario import Scenario
from edgesim.simulate import Outcome, Recording
from edgesim.simulate.arrivals import CLOSED_LOOP
from edgesim.simulate.traffic import Arrivals
from edgesim.version import __version__

_PARTS = ("queue", "compute", "transfer", "fusion")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run on real nodes tells beyond its recordings.

    Attributes:
        accuracy: the section of that name; None where it was not measured.
        failures: why requests have no answer, and how many.
        warnings: to be shown with the others.
    """

    accuracy: dict[str, Any] | None
    failures: Mapping[str, int]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run gave.

    Attributes:
        summary: as in ``summary.json``; plain data, every number finite or None.
        scenario: what was played.
        plan: how it was placed.
        recordings: one for each replication; the first has the spans.
        partial: the run was interrupted.
    """

    summary: Mapping[str, Any]
    scenario: Scenario
    plan: Plan
    recordings: tuple[Recording, ...]
    partial: bool


def summarise(
    scenario: Scenario,
    plan: Plan,
    recordings: Sequence[Recording],
    baselines: Iterable[BaselineRow] = (),
    *,
    wall_s: float,
    partial: bool = False,
    measured: Measured | None = None,
) -> Result:
    """Return the result of a run.

    The first ``traffic.warmup`` requests count in no statistic of latency; energy, bytes and
    utilization are of the whole run. Several replications are pooled: percentiles are of all
    their requests, totals are means of one replication. ``partial`` tells that an interrupt left
    out replications or baselines; a recording that was cut short tells so itself. With
    ``measured``, the recordings are of real nodes.
    """
    answered = [_answered(recording, scenario.traffic.warmup) for recording in recordings]
    latency_s = np.concatenate(answered)
    latency = latency_summary(latency_s)
    partial = partial or any(recording.partial for recording in recordings)
    counts = _counts(recordings)
    finished = (counts["completed"] + counts["degraded"]) / len(recordings)
    simulated_s = _mean([recording.simulated_s for recording in recordings])
    energy = _energy(recordings, finished)
    if measured is None:
        found_accuracy, more_warnings = accuracy.section(scenario, plan, recordings)
    else:
        found_accuracy, more_warnings = measured.accuracy, list(measured.warnings)
    throughput = finished / simulated_s if simulated_s > 0.0 else None
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        "name": scenario.name,
        "mode": "simulate" if measured is None else "real",
        "seed": scenario.seed,
        "versions": {"edgesim": __version__, "python": platform.python_version(),
                     "numpy": np.__version__},
        "simulated_s": simulated_s,
        "wall_s": wall_s,
        "requests": counts,
        "latency_s": latency,
        "throughput_per_s": throughput,
        "breakdown_s": _breakdown(recordings, scenario.traffic.warmup),
        "energy_j": energy,
        "nodes": _nodes(recordings, scenario, plan, simulated_s),
        "links": _links(recordings),
        "baselines": {
            row.name: _baseline(row, scenario, latency["mean"], energy["per_request"])
            for row in baselines
        },
        "accuracy": found_accuracy,
        "faults": faults.section(recordings),
        "confidence_95": {
            name: None if one is None else list(one)
            for name, one in latency_intervals(answered).items()
        },
        "plan": _plan(plan, scenario),
        "mlperf": mlperf.metrics(
            scenario.traffic, answered[0], int((recordings[0].outcome == Outcome.FAILED).sum()),
            recordings[0].simulated_s,
        ),
        "replications": len(recordings),
        "warnings": [
            *_warnings(scenario, answered, plan, counts, partial, real=measured is not None),
            *more_warnings,
        ],
        "partial": partial,
    }  # fmt: skip
    if measured is not None:
        summary["failures"] = measured.failures
    return Result(
        summary=_finite(summary),
        scenario=scenario,
        plan=plan,
        recordings=tuple(recordings),
        partial=partial,
    )


def _answered(recording: Recording, warmup: int) -> NDArray[np.float64]:
    values = recording.latency_s[warmup:]
    return values[np.isfinite(values)]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _counts(recordings: Sequence[Recording]) -> dict[str, int]:
    """Count requests by outcome; those that an interrupt left under way count as failed."""
    outcome = np.concatenate([recording.outcome for recording in recordings])
    completed = int((outcome == Outcome.COMPLETED).sum())
    degraded = int((outcome == Outcome.DEGRADED).sum())
    return {
        "offered": len(outcome),
        "completed": completed,
        "degraded": degraded,
        "failed": len(outcome) - completed - degraded,
    }


def _breakdown(recordings: Sequence[Recording], warmup: int) -> dict[str, float | None]:
    """Return the mean of each part of the critical path over the answered requests."""
    found: dict[str, float | None] = {}
    for part in _PARTS:
        columns = [
            recording.breakdown_s[part][warmup:][np.isfinite(recording.latency_s[warmup:])]
            for recording in recordings
        ]
        values = np.concatenate(columns)
        found[part] = float(values.mean()) if len(values) else None
    return found


def _energy(recordings: Sequence[Recording], finished: float) -> dict[str, Any]:
    nodes = {
        name: _mean([recording.nodes[name].energy_j for recording in recordings])
        for name in recordings[0].nodes
    }
    links = {
        name: _mean([recording.links[name].energy_j for recording in recordings])
        for name in recordings[0].links
    }
    total = math.fsum(nodes.values()) + math.fsum(links.values())
    return {
        "total": total,
        "per_request": total / finished if finished else None,
        "nodes": nodes,
        "links": links,
    }


def _nodes(
    recordings: Sequence[Recording], scenario: Scenario, plan: Plan, simulated_s: float
) -> dict[str, Any]:
    held = plan.memory_bytes()
    copies = standby_bytes(plan, scenario.cluster, scenario.recovery.standby)
    for name, size in copies.items():
        held[name] = held.get(name, 0.0) + size
    sharing = Counter(node.host for node in scenario.cluster.nodes.values())
    rows = {}
    for name, node in scenario.cluster.nodes.items():
        totals = [recording.nodes[name] for recording in recordings]
        busy_s = _mean([one.busy_s for one in totals])
        rows[name] = {
            "device": node.device.name,
            "utilization": busy_s / simulated_s if simulated_s > 0.0 else 0.0,
            "energy_j": _mean([one.energy_j for one in totals]),
            "idle_j": _mean([_idle_j(node, one) for one in recordings]) / sharing[node.host]
            if node.host is not None
            else _mean([_idle_j(node, one) for one in recordings]),
            "memory_bytes": held.get(name, 0.0),
            "memory_capacity_bytes": node.device.memory_capacity_bytes,
            "max_queue": max(one.max_queue for one in totals),
            "down_s": _mean([one.down_s for one in totals]),
        }
        parts = dict.fromkeys(part for one in totals for part in one.energy_by_part_j)
        if parts:
            rows[name]["energy_by_part_j"] = {
                part: _mean([one.energy_by_part_j.get(part, 0.0) for one in totals])
                for part in parts
            }
    return rows


def _idle_j(node: Node, recording: Recording) -> float:
    """Return what a node draws idle or not, in joules; NaN where energy was not measured."""
    totals = recording.nodes[node.name]
    if math.isnan(totals.energy_j):
        return math.nan
    return node.device.power.idle_w * (recording.simulated_s - totals.off_s)


def _links(recordings: Sequence[Recording]) -> dict[str, Any]:
    return {
        name: {
            "bytes": _mean([recording.links[name].bytes for recording in recordings]),
            "utilization": _mean([recording.links[name].utilization for recording in recordings]),
        }
        for name in recordings[0].links
    }


def _baseline(
    row: BaselineRow, scenario: Scenario, latency_s: float | None, energy_j: float | None
) -> dict[str, Any]:
    """Return a baseline's row; ``speedup`` and ``energy_ratio`` are of it over the cluster."""
    found: dict[str, Any] = {"device": row.device, "precision": row.precision}
    recording = row.recording
    if recording is None:
        found |= dict.fromkeys(_BASELINE_KEYS)
        found["misfit_bytes"] = row.misfit_bytes
        return found
    mean_s = mean_latency_s(row, scenario.traffic.warmup)
    answered = int((recording.outcome == Outcome.COMPLETED).sum())
    joules = sum(one.energy_j for one in recording.nodes.values())
    per_request = joules / answered if answered else None
    span_s = recording.simulated_s
    found |= {
        "latency_s": mean_s,
        "throughput_per_s": answered / span_s if span_s > 0.0 else None,
        "energy_j_per_request": per_request,
        "idle_j_per_request": row.idle_w * span_s / answered if answered else None,
        "speedup": _ratio(mean_s, latency_s),
        "energy_ratio": _ratio(per_request, energy_j),
        "unloaded_latency_s": row.compute_s,
        "settled": settled(_answered(recording, scenario.traffic.warmup))
        and not _above(scenario, 1.0 / row.compute_s if row.compute_s else None),
    }
    if row.best_batch is not None:
        best = row.best_batch
        found["best_batch"] = {
            "batch": best.batch,
            "throughput_per_s": best.throughput_per_s,
            "latency_s": best.latency_s,
            "energy_j_per_request": best.energy_j_per_request,
        }
    return found


_BASELINE_KEYS = (
    "latency_s", "throughput_per_s", "energy_j_per_request", "idle_j_per_request", "speedup",
    "energy_ratio", "unloaded_latency_s",
)  # fmt: skip


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def _plan(plan: Plan, scenario: Scenario) -> dict[str, Any]:
    bounds = bottleneck(plan, scenario.cluster, scenario.traffic.samples)
    return {
        "strategy": plan.strategy,
        "precision": plan.precision,
        "tasks": sum(len(branch.tasks) for branch in plan.branches),
        "details": dict(plan.details),
        "bottleneck": bounds.resource,
        "capacity_per_s": bounds.capacity_per_s,
        "unloaded_latency_s": bounds.latency_s,
    }


def _above(scenario: Scenario, capacity_per_s: float | None) -> bool:
    rate = scenario.traffic.rate_per_s
    return rate is not None and capacity_per_s is not None and rate >= capacity_per_s


def _warnings(
    scenario: Scenario,
    answered: Sequence[NDArray[np.float64]],
    plan: Plan,
    counts: Mapping[str, int],
    partial: bool,
    *,
    real: bool,
) -> list[str]:
    found = []
    bounds = bottleneck(plan, scenario.cluster, scenario.traffic.samples)
    traffic = scenario.traffic
    if not real and _above(scenario, bounds.capacity_per_s):
        found.append(
            f"overloaded: {traffic.rate_per_s:.4g} requests/s are offered, and {bounds.resource} "
            f"can serve {bounds.capacity_per_s:.4g}/s; the queue did not settle, so latencies grow "
            "with the length of the run"
        )
    elif traffic.arrivals not in (*CLOSED_LOOP, Arrivals.OFFLINE) and not all(
        settled(values) for values in answered
    ):
        found.append(
            "the queue did not settle: latencies still grew at the end; play more requests, or "
            "set traffic.warmup to leave out the start"
        )
    if counts["failed"]:
        found.append(f"{counts['failed']:,} of {counts['offered']:,} requests have no answer")
    if partial:
        found.append("interrupted: this is what had finished by then")
    return found


def _finite(value: Any) -> Any:
    """Return plain data whose every number is finite, None elsewhere: JSON has no infinity."""
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, np.floating | np.integer):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
