"""The registry of metrics: what ``summary.json`` holds, in order.

A built-in metric is added where its section is: here, or in the module of its section. Other
packages add theirs through the entry points ``edgesim.metrics``, where the built-in ones stand too.
Everything that shows metrics or keeps them is made from this tree (see `edgesim.results.metrics`).
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.extensions import ExtensionPoint
from edgesim.common.files import SCHEMA
from edgesim.common.text import described
from edgesim.results.accuracy import ACCURACY
from edgesim.results.baselines import BASELINES
from edgesim.results.faults import FAULTS, totals
from edgesim.results.metrics import Kind, Metric, Place, Section, json_schema
from edgesim.results.mlperf import MLPERF, reported
from edgesim.results.ranges import RANGE
from edgesim.results.run import NodeRun, Run, SourceRun
from edgesim.results.statistics import PERCENTILES
from edgesim.simulate import Outcome
from edgesim.simulate.recording import PARTS, LinkTotals
from edgesim.version import __version__

_NO_ANSWER = "no request was answered"
_NO_METER = "joules were not measured: real nodes report times only"
_NO_TIME = "the run took no time"
_COMPARED: tuple[Place, ...] = ("compared",)
_EVERYWHERE: tuple[Place, ...] = ("console", "page", "notebook")

_REQUESTS: tuple[Metric[Run], ...] = (
    *(
        Metric(
            name,
            "",
            meaning,
            lambda run, name=name: run.requests[name],  # type: ignore[misc]
            kind="whole",
        )
        for name, meaning in (
            ("offered", "Requests that arrived, of all replications: the sum of the outcomes."),
            ("completed", "Requests answered in full."),
            ("degraded", "Requests answered without an optional part."),
            ("failed", "Requests without an answer, or under way when the run was interrupted."),
        )
    ),
    Metric(
        "dropped",
        "",
        "Requests without an answer that a queue dropped.",
        lambda run: run.dropped,
        kind="whole",
        null="no queue drops any",
        optional=True,
    ),
    Metric(
        "late",
        "",
        "Answered requests that missed their deadline.",
        lambda run: run.late,
        kind="whole",
        null="they have no deadline",
        optional=True,
    ),
)
_LATENCY: tuple[Metric[Mapping[str, Any]], ...] = tuple(
    Metric(
        name, "s", f"{meaning} of the latencies of the answered requests after the warm-up, of all "
        "replications.", null=_NO_ANSWER,
        heading={"p50": "median latency", "p99": "99th percentile"}.get(name, name),
        places=(*_COMPARED, "console", "page",
                *(("notebook",) if name not in ("p95", "p99.9") else ())),
        card={"p50": 1, "p99": 2}.get(name, 0),
    )
    for name, meaning in (
        ("mean", "Mean"),
        *((name, f"Smallest latency that {100 * share:g} % do not exceed,")
          for name, share in PERCENTILES.items()),
        ("max", "Largest"),
    )
)  # fmt: skip
_BREAKDOWN: tuple[Metric[Mapping[str, Any]], ...] = tuple(
    Metric(
        name, "s", f"Mean time along the critical path of a request {meaning}.",
        null=_NO_ANSWER, heading=name,
        places=_COMPARED,
    )
    for name, meaning in zip(
        PARTS, ("that it waited", "in tasks", "in transfers", "in fusions"), strict=True
    )
)  # fmt: skip
_ENERGY: tuple[Metric[Run], ...] = (
    Metric("total", "J", "Energy of all nodes and links over the run; mean of the replications.",
           lambda run: run.energy_j, null=_NO_METER, heading="energy", places=("console",)),
    Metric("per_request", "J", "Energy of all nodes and links over answered requests.",
           lambda run: run.energy_per_request_j, null=f"{_NO_ANSWER}, or {_NO_METER}",
           heading="energy a request", places=("notebook",), card=4),
    Metric("nodes", "J", "Energy of every node.",
           lambda run: {name: run.nodes[name].energy_j for name in run.recordings[0].nodes},
           kind="numbers", null=_NO_METER),
    Metric("links", "J", "Energy of every link.",
           lambda run: {name: one.energy_j for name, one in run.links.items()}, kind="numbers",
           null=_NO_METER),
)  # fmt: skip
_NODES: tuple[Metric[NodeRun], ...] = (
    Metric("device", "", "Catalog name of its device.", lambda one: one.node.device.name,
           kind="text", heading="device", places=_EVERYWHERE),
    Metric("runtime", "", "Runtime that its times are of; (estimate) where no time of it is "
           "published or profiled for the device in this precision.",
           lambda one: one.runtime, kind="text", heading="runtime",
           places=("console", "page", "notebook"), column=False, quiet=True,
           null="it is not known"),
    Metric("effective_bits", "", "Bits of an ideal converter that errs as much as its light and "
           "camera do; its arithmetic has no more, whatever the precision.",
           lambda one: one.node.device.effective_bits, heading="effective bits",
           places=("console", "page", "notebook"), quiet=True, null="its arithmetic has no noise"),
    Metric("utilization", "", "Mean share of its cores that worked; mean of the replications.",
           kind="share", heading="busy", places=(*_EVERYWHERE, "compared")),
    Metric("energy_j", "J", "Integral of its power over the run; mean of the replications.",
           null=_NO_METER, heading="energy", places=_EVERYWHERE),
    Metric("idle_j", "J", "Part of this energy that it draws whether or not it works.",
           null=_NO_METER),
    Metric("memory_bytes", "B", "Held by the plan's weights and activations, and by copies of "
           "parts on a standby node.", heading="memory", places=("console", "notebook"),
           limit="memory_capacity_bytes"),
    Metric("memory_capacity_bytes", "B", "Memory that models may use: the device's less what is "
           "reserved.",
           lambda one: one.node.model_memory_bytes, null="it is unbounded"),
    Metric("max_queue", "", "Largest number of tasks that waited at once, of all replications.",
           lambda one: max(total.max_queue for total in one.totals), kind="whole",
           heading="longest queue", places=("console", "page")),
    Metric("dropped", "", "Tasks that its queue dropped, of all replications.",
           lambda one: sum(total.dropped for total in one.totals) if one.node.queue.drops else None,
           kind="whole", null="its queue drops none", optional=True),
    Metric("down_s", "s", "Time out of service; mean of the replications.",
           lambda one: one.mean(lambda total: total.down_s), heading="down", places=("page",),
           quiet=True),
    Metric("energy_by_part_j", "J", "Energy of each part of the device.", kind="numbers",
           null="the device has no energy by part", optional=True),
)  # fmt: skip
_LINKS: tuple[Metric[LinkTotals], ...] = (
    Metric("bytes", "B", "Bytes carried; mean of the replications.", heading="carried",
           places=("console", "page", "compared")),
    Metric("utilization", "", "Bytes carried over what could have been carried, of the busier "
           "direction; mean of the replications.", kind="share", heading="busy",
           places=("console", "page", "compared")),
)  # fmt: skip
_SOURCES: tuple[Metric[SourceRun], ...] = (
    Metric("offered", "", "Requests that entered there.", kind="whole", heading="offered",
           places=("console", "page")),
    Metric("completed", "", "Requests answered in full.",
           lambda one: one.outcomes[Outcome.COMPLETED], kind="whole", heading="in full",
           places=("console", "page")),
    Metric("degraded", "", "Requests answered without an optional part.",
           lambda one: one.outcomes[Outcome.DEGRADED], kind="whole", heading="degraded",
           places=("console", "page"), quiet=True),
    Metric("dropped", "", "Requests without an answer that a queue dropped.",
           lambda one: one.outcomes[Outcome.DROPPED], kind="whole", heading="dropped",
           places=("console", "page"), quiet=True),
    Metric("failed", "", "Other requests without an answer.", kind="whole", heading="failed",
           places=("console", "page"), quiet=True),
    Metric("late", "", "Answered requests that missed their deadline.", kind="whole",
           null="they have no deadline", heading="late", places=("console", "page"), quiet=True),
    *(
        Metric(f"latency_{name}_s", "s", f"{meaning} of the latencies of answered requests.",
               lambda one, name=name: one.latency_s[name],  # type: ignore[misc]
               null=_NO_ANSWER, heading=f"{heading} latency", places=("console", "page"))
        for name, meaning, heading in (
            ("mean", "Mean", "mean"), ("p50", "Median", "median"),
            ("p99", "99th percentile", "p99"),
        )
    ),
)  # fmt: skip
_PLAN: tuple[Metric[Run], ...] = (
    Metric("strategy", "", "Name of the strategy that made the plan.",
           lambda run: run.plan.strategy,
           kind="text"),
    Metric("precision", "", "Number format of weights, activations and arithmetic.",
           lambda run: run.plan.precision, kind="text"),
    Metric("tasks", "", "Tasks of all alternatives.",
           lambda run: sum(len(branch.tasks) for branch in run.plan.branches), kind="whole"),
    Metric("details", "", "Figures of the strategy.",
           lambda run: dict(run.plan.details), kind="any"),
    Metric("alone", "", "Devices of the cluster that are faster or cheaper than it by themselves, "
           "for one request without a queue, by name: latency_s, energy_j, and the cluster's "
           "latency and energy over theirs.", lambda run: run.alone or None, kind="any",
           optional=True, column=False, null="none is, or one node runs the whole model"),
    Metric("bottleneck", "", "Name of the busiest node, link or machine.",
           lambda run: run.bounds.resource,
           kind="text"),
    Metric("capacity_per_s", "/s", "Requests per second that keep the bottleneck busy.",
           lambda run: run.bounds.capacity_per_s, null="nothing bounds it", heading="bottleneck",
           card=5),
    Metric("unloaded_latency_s", "s", "Least latency of a request on the idle cluster.",
           lambda run: run.bounds.latency_s),
)  # fmt: skip


_VERSIONS: tuple[Metric[Mapping[str, str]], ...] = tuple(
    Metric(name, "", f"Version of {title}.", kind="text", column=False)
    for name, title in (("edgesim", "edgesim"), ("python", "Python"), ("numpy", "NumPy"))
)


def _versions(_: Run) -> dict[str, str]:
    python = platform.python_version()
    return {"edgesim": __version__, "python": python, "numpy": np.__version__}


def _mlperf(run: Run) -> Any:
    first = run.recordings[0]
    failed = int((first.outcome >= Outcome.FAILED).sum())
    return reported(run.scenario.traffic, run.latencies_s[0], failed, first.simulated_s)


METRICS: tuple[Metric[Run] | Section[Run], ...] = (
    Metric("schema", "", "Version of this schema.", lambda run: SCHEMA, kind="whole", column=False),
    Metric("name", "", "Name of the scenario.", lambda run: run.scenario.name, kind="text",
           column=False),
    Metric("mode", "", "`simulate` or `real`.",
           lambda run: "simulate" if run.measured is None else "real", kind="text", column=False),
    Metric("seed", "", "Seed of the random numbers.", lambda run: run.scenario.seed, kind="whole",
           column=False),
    Section("versions", "Versions of the software.", _VERSIONS, _versions),
    Metric("simulated_s", "s", "Time from the start to the last event; mean of the replications."),
    Metric("wall_s", "s", "Time that the run took.", column=False),
    Section("requests", "Requests by outcome, of all replications.", _REQUESTS),
    Section("latency_s", "Time from arrival to answer.", _LATENCY, lambda run: run.latency_s),
    Metric("throughput_per_s", "/s", "Answered requests over simulated time.",
           null=_NO_TIME, heading="throughput",
           places=("console", "notebook", "compared"), card=3),
    Metric("goodput_per_s", "/s", "Requests answered by their deadline, over simulated time.",
           null="they have no deadline", heading="goodput",
           places=("console", "compared"), optional=True),
    Section("breakdown_s", "Parts of the mean latency; they sum to it.",
            _BREAKDOWN, lambda run: run.breakdown_s),
    Section("sources", "Requests by the node where they entered, where these are several.",
            _SOURCES, lambda run: run.sources, each="source", null="they enter at one node",
            optional=True),
    Section("energy_j", "Energy over the whole run.", _ENERGY),
    Section("nodes", "Every node, over the whole run.", _NODES, lambda run: run.nodes, each="node"),
    Section("links", "Every link, over the whole run.", _LINKS, lambda run: run.links, each="link"),
    BASELINES.counted(lambda run: {
        row.name: row.beside(run.latency_s["mean"], run.energy_per_request_j)
        for row in run.baselines
    }),
    ACCURACY.counted(lambda run: run.accuracy[0]),
    FAULTS.counted(lambda run: totals(run.recordings)),
    Metric("confidence_95", "s", "Intervals of 95 % of the latencies' mean and percentiles: batch "
           "means of one replication, or over several.", kind="intervals"),
    RANGE,
    Section("plan", "Placement of the model, and its bottleneck.", _PLAN),
    MLPERF.counted(_mlperf),
    Metric("replications", "", "Independent runs that were pooled.",
           lambda run: len(run.recordings), kind="whole"),
    Metric("warnings", "", "Warnings about the figures.", kind="texts"),
    Metric("partial", "", "Whether the run was interrupted.", kind="flag", column=False),
    Metric("failures", "", "Requests without an answer on real nodes, by reason.",
           lambda run: run.measured and run.measured.failures, kind="wholes", optional=True,
           null="simulated"),
    Metric("lost_parts", "", "Degraded requests, by what they went without: part, node and why.",
           kind="wholes", optional=True, null="nothing can fail"),
)  # fmt: skip

_TYPES: Mapping[Kind, Any] = {
    "number": int | float, "share": int | float, "whole": int, "flag": bool, "text": str,
}  # fmt: skip


def _registered() -> tuple[Metric[Run] | Section[Run], ...]:
    """Return all metrics, the built-in ones first.

    Raises:
        InputError: a package registers something else, or a metric under a name that is taken.
    """
    point = ExtensionPoint("edgesim.metrics", "metric")
    found: dict[str, Metric[Run] | Section[Run]] = {}
    for name in point.names():
        value = point.load(name)
        for one in value if value is METRICS else (value,):
            if value is not METRICS:
                one = _checked(one, f"metric '{name}' ({point.origin(name)})")
            if one.name in found:
                raise InputError(
                    f"metric '{name}' ({point.origin(name)}): summary.json has a '{one.name}' "
                    "already; give the metric another name"
                )
            found[one.name] = one
    return tuple(found.values())


def _checked(metric: object, title: str) -> Metric[Run]:
    """Return a plug-in's metric whose failures name it.

    Raises:
        InputError: it is none, or has no name that a key can be.
    """
    if not isinstance(metric, Metric) or not metric.name.isidentifier():
        raise InputError(
            f"{title}: expected an edgesim.results.metrics.Metric whose name is of letters, digits "
            f"and '_', got {described(metric)}"
        )

    def count(run: Run) -> Any:
        try:
            value = _plain(metric.of(run))
            right = value is None or isinstance(value, _TYPES.get(metric.kind, list | dict))
            came = described(value)
            json.dumps(value, allow_nan=False)
        except Exception as error:
            right, came = False, f"{type(error).__name__}: {error}"
        if not right:
            raise EdgesimError(f"{title}: expected a finite {metric.kind} or None, got {came}")
        return value

    return replace(metric, count=count, null=metric.null or "there is no value")


SUMMARY: Section[Run] = Section("summary", "Summary of a run.", _registered())


def schema() -> dict[str, Any]:
    """Return the JSON Schema of ``summary.json``."""
    return json_schema("summary.json of edgesim", SUMMARY)


def section(*path: str) -> Section[Any]:
    """Return a section of the registry by its path."""
    found = SUMMARY.part(*path)
    assert isinstance(found, Section), path
    return found


def value_at(summary: Mapping[str, Any], path: Sequence[str | int]) -> Any:
    """Return a value of a summary by its path; None where it or a section above it is null."""
    found: Any = summary
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else found and found[key]
    return found


def summed_up(run: Run) -> dict[str, Any]:
    """Return the summary of a run: plain data, every number finite or None."""
    found: dict[str, Any] = _plain(SUMMARY.of(run), _finite)
    return found


def _plain(value: Any, leaf: Callable[[Any], Any] = lambda value: value) -> Any:
    """Return plain data: numpy's numbers as Python's, and what ``leaf`` makes of each."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one, leaf) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, leaf) for one in value]
    return leaf(value.item() if isinstance(value, np.generic) else value)


def _finite(value: Any) -> Any:
    """Return a value, or None where it is a number that JSON has not."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
