"""The section ``faults`` of a summary: what failed, what came of it, and what it cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from edgesim.simulate import Outcome, Recording
from edgesim.simulate.fault_record import FaultRecord, TargetFaults


def section(recordings: Sequence[Recording]) -> dict[str, Any] | None:
    """Return the section; None where nothing could fail, or it was not recorded.

    Several replications are pooled: counts, shares and joules are of all their requests, times of
    nodes and links are means of one replication.

    - ``availability``: answered requests, degraded ones included, over offered ones.
    - ``answered``: of these, by the most that was done for one of their parts.
    - ``reasons``: failed requests, by why.
    - ``recover_mean_s``, ``recover_max_s``: from the time that something went down to the first
      whole answer to a request that came after; ``recover_never`` counts failures without one.
    - ``used_j``, ``lost_j``: drawn by nodes while they ran what an answer used, and what none did.
    """
    records = [recording.faults for recording in recordings if recording.faults is not None]
    if len(records) < len(recordings):
        return None
    outcome = Counter(int(value) for one in recordings for value in one.outcome.tolist())
    offered = sum(outcome.values())
    degraded = outcome[Outcome.DEGRADED]
    answered = outcome[Outcome.COMPLETED] + degraded
    used_j, lost_j = (sum(getattr(one, key) for one in records) for key in ("used_j", "lost_j"))
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
        "used_j": used_j,
        "lost_j": lost_j,
        "nodes": _rows([one.nodes for one in records], span_s),
        "links": _rows([one.links for one in records], span_s),
    }


def _rows(
    records: Sequence[Mapping[str, TargetFaults]], span_s: float
) -> dict[str, dict[str, Any]]:
    """Return the targets that something befell."""
    found = {}
    for name in dict.fromkeys(name for rows in records for name in rows):
        rows = [one.get(name, TargetFaults()) for one in records]
        down_s = math.fsum(row.down_s for row in rows) / len(rows)
        slow_s = math.fsum(row.slow_s for row in rows) / len(rows)
        hottest = [row.hottest_c for row in rows if row.hottest_c is not None]
        charge = [row.charge_j for row in rows if row.charge_j is not None]
        failures = sum(row.failures for row in rows)
        if not (failures or down_s or slow_s or hottest or charge):
            continue
        found[name] = {
            "failures": failures,
            "down_s": down_s,
            "availability": 1.0 - down_s / span_s if span_s > 0.0 else 1.0,
            "slow_s": slow_s,
            "hottest_c": max(hottest, default=None),
            "charge_j": math.fsum(charge) / len(charge) if charge else None,
        }
    return found


def events_csv(records: Sequence[FaultRecord | None]) -> str:
    """Return every event as CSV: replication, time, target, what happened, more in words."""
    lines = ["replication,time_s,target,what,detail"]
    for number, record in enumerate(records):
        for event in record.events if record is not None else ():
            cells = (str(number), repr(event.time_s), *map(_cell, event[1:]))
            lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(one in text for one in ',"\n') else text
