"""The section ``faults`` of a summary: failures, their consequences, and their cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from edgesim.common.text import digits
from edgesim.results.metrics import Metric, Place, Section
from edgesim.simulate import Outcome, Recording
from edgesim.simulate.recording import TargetFaults

Source = Mapping[str, Any]
"""Values that metrics are read from, by name."""


def totals(recordings: Sequence[Recording]) -> Source | None:
    """Return the faults of all replications; None where nothing could fail, or nobody recorded it.

    Counts, shares and joules are of all requests of all replications, times of nodes and links are
    means of one replication.
    """
    records = [recording.faults for recording in recordings if recording.faults is not None]
    if len(records) < len(recordings):
        return None
    outcome = Counter(int(value) for one in recordings for value in one.outcome.tolist())
    offered = sum(outcome.values())
    degraded = outcome[Outcome.DEGRADED]
    answered = outcome[Outcome.COMPLETED] + degraded
    span_s = math.fsum(one.simulated_s for one in recordings) / len(recordings)
    times = [value for one in records for value in one.recover_s]
    known = [value for value in times if math.isfinite(value)]
    return {
        "availability": answered / offered if offered else None,
        "whole": (answered - degraded) / offered if offered else None,
        "answered": dict(sum((Counter(one.answered) for one in records), Counter())),
        "reasons": dict(sum((Counter(one.reasons) for one in records), Counter())),
        "attempts": sum(one.attempts for one in records),
        "failures": len(times),
        "recover_mean_s": math.fsum(known) / len(known) if known else None,
        "recover_max_s": max(known, default=None),
        "recover_never": len(times) - len(known),
        "used_j": sum(one.used_j for one in records),
        "lost_j": sum(one.lost_j for one in records),
        "nodes": _targets([one.nodes for one in records], span_s),
        "links": _targets([one.links for one in records], span_s),
    }


def _targets(records: Sequence[Mapping[str, TargetFaults]], span_s: float) -> dict[str, Source]:
    """Return the targets with a failure, a slowdown, a temperature or a charge."""
    found: dict[str, Source] = {}
    for name in dict.fromkeys(name for rows in records for name in rows):
        rows = [one.get(name, TargetFaults()) for one in records]
        down_s = math.fsum(row.down_s for row in rows) / len(rows)
        slow_s = math.fsum(row.slow_s for row in rows) / len(rows)
        hottest = [row.hottest_c for row in rows if row.hottest_c is not None]
        charge = [row.charge_j for row in rows if row.charge_j is not None]
        failures = sum(row.failures for row in rows)
        if failures or down_s or slow_s or hottest or charge:
            found[name] = {
                "failures": failures,
                "down_s": down_s,
                "availability": 1.0 - down_s / span_s if span_s > 0.0 else 1.0,
                "slow_s": slow_s,
                "hottest_c": max(hottest, default=None),
                "charge_j": math.fsum(charge) / len(charge) if charge else None,
            }
    return found


def availability_text(value: float | None) -> str:
    """Return a share near 1, which three digits would round: ``99.87 %``."""
    return "-" if value is None else f"{digits(100 * value, 4)} %"


_SHOWN: tuple[Place, ...] = ("console", "page")
_NONE = "no request was offered"
_TARGET: tuple[Metric[Source], ...] = (
    Metric("failures", "", "Times that it went down or was cut, of all replications.",
           kind="whole", heading="failures", places=_SHOWN, quiet=True),
    Metric("down_s", "s", "Time in which it did not answer; mean of the replications.",
           heading="down", places=_SHOWN),
    Metric("availability", "", "Share of the run in which it was up.", kind="share",
           heading="available", places=_SHOWN, form=availability_text),
    Metric("slow_s", "s", "Time in which it was up and not at its full speed.", heading="slow",
           places=_SHOWN, quiet=True),
    Metric("hottest_c", "°C", "Highest temperature of its device.", null="no thermal model",
           heading="hottest", places=_SHOWN, quiet=True, form=lambda value: f"{value:.1f} °C"),
    Metric("charge_j", "J", "Energy in its battery at the end; mean of the replications.",
           null="no battery", heading="charge", places=_SHOWN, quiet=True),
)  # fmt: skip
_FAULTS: tuple[Metric[Source] | Section[Source], ...] = (
    Metric("availability", "", "Answered requests, degraded ones included, over offered ones.",
           kind="share", null=_NONE, heading="answered, of all", places=("page",),
           form=availability_text),
    Metric("whole", "", "Requests answered in full over offered ones.", kind="share", null=_NONE,
           heading="in full, of all", places=("page",), form=availability_text),
    Metric("answered", "",
           "Answered requests, by the largest recovery step that one of their parts needed.",
           kind="wholes"),
    Metric("reasons", "", "Failed requests, by reason.", kind="wholes"),
    Metric("attempts", "", "Attempts of parts.", kind="whole", heading="tries of parts",
           places=("page",)),
    Metric("failures", "", "Times that a node or link went down.", kind="whole"),
    Metric("recover_mean_s", "s", "Mean time from such a failure to the first whole answer to a "
           "request that came after.", null="there was none",
           heading="mean time until the next whole answer", places=("page",)),
    Metric("recover_max_s", "s", "Longest time from a failure to the first whole answer.",
           null="there was none"),
    Metric("recover_never", "", "Failures after which no whole answer came.",
           kind="whole"),
    Metric("used_j", "J", "Energy of nodes while they ran work that an answer used.",
           heading="joules of used work", places=("page",)),
    Metric("lost_j", "J", "Energy of nodes while they ran work that no answer used.",
           heading="joules of lost work", places=("page",)),
    Section("nodes", "Nodes with faults, a thermal model or a battery.",
           _TARGET, lambda found: found["nodes"],
            each="node"),
    Section("links", "Links with faults.", _TARGET, lambda found: found["links"],
            each="link"),
)  # fmt: skip
FAULTS: Section[Source | None] = Section(
    "faults", "Faults, their consequences and their cost, of all replications.", _FAULTS,
    null="nothing could fail, or it was not recorded",
)  # fmt: skip
