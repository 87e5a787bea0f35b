"""Predicted and measured side by side: the content of ``comparison.json``.

::

    {"schema": 1, "mode": "both", "name", "seed", "versions", "arrivals",
     "capacity_per_s", "bounded_by",              of the nodes, as predicted
     "wall_s", "partial", "warnings": [...],
     "loads": [
       {"folder", "share", "rate_per_s",          share of the capacity; null as written
        "partial",                                the measurement was interrupted
        "requests": {"predicted": {"offered", "completed", "degraded", "failed"}, "measured": ...},
        "availability": {"answered" | "whole": {"predicted", "measured", "error"}},
        "outcomes": {"in_time" | "late" | "degraded" | "dropped" | "failed":
                     {"predicted", "measured", "difference"}},
        "latency_s": {"mean" | "p50" | ... | "max":
                      {"predicted", "measured", "error", "predicted_95", "measured_95"}},
        "throughput_per_s": {"predicted", "measured", "error"},
        "breakdown_s": {"queue" | "compute" | "transfer" | "fusion": {...}},
        "nodes": {name: {"utilization": {...}}},
        "links": {name: {"bytes": {...}, "utilization": {...}}},
        "accuracy": null or {"top1": {"predicted", "measured", "error", "measured_95"}},
        "warnings": {"predicted": [...], "measured": [...]}}]}

``outcomes`` are shares of the offered requests: in time, late, dropped and failed add up to one,
degraded ones are in time or late; without a deadline, every answer is in time. ``difference`` is
predicted - measured.

``error`` is (predicted - measured) / measured, null where one of them is not known or nothing was
measured. ``predicted_95`` and ``measured_95`` are 95 % intervals, null where there are too few
requests for one. ``folder`` has the results themselves, in ``predicted`` and ``measured``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgesim.common import units
from edgesim.common.errors import InputError
from edgesim.common.files import SCHEMA
from edgesim.results.metrics import Metric, Section
from edgesim.results.result import Result
from edgesim.results.summary import SUMMARY
from edgesim.scenario.scenario import Scenario
from edgesim.simulate import Traffic
from edgesim.simulate.arrivals import Paced, Periodic, Poisson, Trace

USUAL = "0.1,0.5,0.9"
"""Loads where none are asked for."""
MOST = 10.0
"""Largest load, as a share of the capacity: what a node does far above it, its queue decides."""
AS_WRITTEN = "scenario"
"""What asks for the scenario's own traffic."""
_PACED = (Poisson, Periodic)
"""Arrival processes whose rate is free to choose."""


@dataclass(frozen=True, slots=True)
class Load:
    """One comparison.

    Attributes:
        share: share of the capacity; None where the traffic is the scenario's own.
        scenario: the scenario with the traffic of this load.
    """

    share: float | None
    scenario: Scenario

    @property
    def traffic(self) -> Traffic:
        """Traffic of this load."""
        return self.scenario.traffic

    @property
    def folder(self) -> str:
        """Return the name of its folder in the result."""
        return "as-written" if self.share is None else f"load-{self.share:g}"

    @property
    def duration_s(self) -> float | None:
        """Return for how long requests are sent; None where that depends on the answers."""
        traffic = self.traffic
        runs = self.scenario.replications
        if traffic.offered_per_s is not None:
            return runs * traffic.requests / traffic.offered_per_s
        return runs * traffic.times_s[-1] if isinstance(traffic, Trace) else None


def find_loads(text: str | None, scenario: Scenario, capacity_per_s: float) -> tuple[Load, ...]:
    """Return the loads that ``text`` asks for, each with the scenario's number of requests.

    Args:
        text: shares of the capacity and ``scenario``, with commas between; None for a tenth, half
            and nine tenths, or the scenario's own traffic where that has no rate to choose.
        scenario: from `edgesim.api.load`.
        capacity_per_s: requests per second that the nodes can serve, as predicted.

    Raises:
        InputError: the text says something else, or shares of traffic that has no such rate.
    """
    paced = type(scenario.traffic) in _PACED
    if text is None:
        text = USUAL if paced else AS_WRITTEN
    loads: dict[str, Load] = {}
    for word in text.split(","):
        share = None if word.strip() == AS_WRITTEN else _read_share(word.strip())
        if share is not None and not paced:
            raise InputError(
                f"--loads: shares of the capacity belong to poisson or periodic arrivals, and the "
                f"scenario's are {scenario.traffic.arrivals}; leave --loads out"
            )
        load = Load(share, scenario if share is None else _at(scenario, share * capacity_per_s))
        if load.folder in loads:
            raise InputError(f"--loads: '{word.strip()}' comes twice")
        loads[load.folder] = load
    return tuple(loads.values())


def _read_share(word: str) -> float:
    try:
        share = units.parse(word, "ratio")
    except ValueError:
        share = math.nan
    if not 0.0 < share <= MOST:
        raise InputError(
            f"--loads: expected shares of the capacity above 0 and up to {MOST:g}, such as "
            f"{USUAL},1.5, or '{AS_WRITTEN}' for the file's own rate, got '{word[:60]}'"
        )
    return share


def _at(scenario: Scenario, rate_per_s: float) -> Scenario:
    """Return a scenario at another rate, in its document too, which is saved and can run again."""
    if not math.isfinite(rate_per_s):
        raise InputError(
            f"--loads: nothing bounds what the nodes can serve by prediction; use '{AS_WRITTEN}'"
        )
    assert isinstance(scenario.traffic, Paced)
    section = scenario.document["traffic"]
    assert isinstance(section, dict), "a scenario that was resolved"
    return replace(
        scenario,
        traffic=replace(scenario.traffic, rate_per_s=rate_per_s),
        document={**scenario.document, "traffic": {**section, "rate": rate_per_s}},
    )


MODE = "both"
_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Compared:
    """One load, simulated and measured."""

    load: Load
    predicted: Result
    measured: Result


def document(
    compared: Sequence[Compared],
    *,
    capacity_per_s: float,
    bounded_by: str,
    wall_s: float,
    partial: bool,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """Return what ``comparison.json`` holds.

    Args:
        compared: results of at least one load.
        capacity_per_s: predicted capacity of the nodes.
        bounded_by: name of what bounds it.
        wall_s: wall-clock time of all loads.
        partial: not all loads ran to their end.
        warnings: warnings about the whole comparison.
    """
    first = compared[0].predicted.summary
    return {
        "schema": SCHEMA,
        "mode": MODE,
        "name": first["name"],
        "seed": first["seed"],
        "versions": first["versions"],
        "arrivals": compared[0].load.traffic.arrivals,
        "capacity_per_s": capacity_per_s,
        "bounded_by": bounded_by,
        "wall_s": wall_s,
        "partial": partial,
        "warnings": list(warnings),
        "loads": [_load(one) for one in compared],
    }


def _load(one: Compared) -> dict[str, Any]:
    predicted, measured = one.predicted.summary, one.measured.summary
    sides = {"predicted": predicted, "measured": measured}
    pairs = _pairs(SUMMARY, predicted, measured)
    for name, pair in pairs["latency_s"].items():
        for side, summary in sides.items():
            pair[f"{side}_95"] = summary["confidence_95"].get(name)
    if pairs["accuracy"] is not None:
        found = measured["accuracy"]
        pairs["accuracy"]["top1"]["measured_95"] = _wilson(found["top1"], found["samples"])
    return {
        "folder": one.load.folder,
        "share": one.load.share,
        "rate_per_s": one.load.traffic.offered_per_s,
        "partial": one.measured.partial,
        "requests": {side: dict(summary["requests"]) for side, summary in sides.items()},
        "availability": {
            key: _pair(*(_share(side["requests"], key) for side in sides.values()))
            for key in ("answered", "whole")
        },
        "outcomes": _outcomes(predicted, measured),
        **pairs,
        "warnings": {side: list(summary["warnings"]) for side, summary in sides.items()},
    }


def _outcomes(predicted: Mapping[str, Any], measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shares of the offered requests by what became of them, of both sides."""
    sides = [_outcome_shares(one["requests"]) for one in (predicted, measured)]
    return {
        name: {"predicted": share, "measured": other, "difference": share - other}
        for (name, share), other in zip(sides[0].items(), sides[1].values(), strict=True)
    }


def _outcome_shares(requests: Mapping[str, int | None]) -> dict[str, float]:
    """Return the share of each outcome; late ones without a deadline are none."""
    counts = {
        name: requests.get(name) or 0
        for name in ("offered", "completed", "late", "degraded", "dropped", "failed")
    }
    offered = counts.pop("offered") or 1
    whole = counts.pop("completed")
    counts = {"in_time": whole + counts["degraded"] - counts["late"], **counts}
    return {name: many / offered for name, many in counts.items()}


def _share(requests: Mapping[str, int], key: str) -> float | None:
    """Return the share of the offered requests that were answered, or answered in full."""
    answered = requests["completed"] + requests["degraded"] * (key == "answered")
    return answered / requests["offered"] if requests["offered"] else None


def _pairs(
    section: Section[Any], predicted: Mapping[str, Any], measured: Mapping[str, Any]
) -> dict[str, Any]:
    """Return every metric of a section that is compared, and those of the sections in it."""
    found: dict[str, Any] = {}
    for part in section.parts:
        if isinstance(part, Metric):
            # One that is left out of a summary is left out here.
            if "compared" in part.places and part.name in predicted:
                found[part.name] = _pair(predicted[part.name], measured.get(part.name))
        elif any("compared" in metric.places for _, metric in part.walk()):
            first, second = predicted[part.name], measured[part.name]
            if first is None or second is None:
                found[part.name] = None
            elif part.each:
                found[part.name] = {
                    name: _pairs(part, row, second[name]) for name, row in first.items()
                }
            else:
                found[part.name] = _pairs(part, first, second)
    return found


def _pair(predicted: float | None, measured: float | None) -> dict[str, Any]:
    known = predicted is not None and measured is not None and measured != 0.0
    return {
        "predicted": predicted,
        "measured": measured,
        "error": (predicted - measured) / measured if known else None,  # type: ignore[operator]
    }


def _wilson(share: float | None, images: int) -> list[float] | None:
    """Return the 95 % interval of a share of independent images (Wilson, JASA 22:209, 1927)."""
    if share is None:
        return None
    weight = _Z95**2 / images
    centre = (share + weight / 2) / (1 + weight)
    half = _Z95 / (1 + weight) * math.sqrt((share * (1 - share) + weight / 4) / images)
    return [centre - half, centre + half]
