"""What failed in a run, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class FaultEvent(NamedTuple):
    """Something that befell a node, a link or a part.

    Attributes:
        time_s: when.
        target: name of the node, link or part.
        what: ``crash``, ``repair``, ``freeze``, ``thaw``, ``slow``, ``restore``, ``cut``,
            ``mend``, ``degrade``, ``throttle``, ``release``, ``out of memory``, ``battery empty``,
            ``charged``, ``up`` (it answers again), ``taken out``, ``taken in`` (by checks),
            ``reassigned``.
        detail: more, in words; may be empty.
    """

    time_s: float
    target: str
    what: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFaults:
    """What befell one node or link.

    Attributes:
        failures: times that it went down (a node), or was cut (a link).
        down_s: that it did not answer: crashed, frozen, starting again; of a link, cut.
        slow_s: that it was not down and not at its full speed; of a link, degraded.
        hottest_c: highest temperature of its device; None without a thermal model.
        charge_j: left in its battery at the end; None without one.
    """

    failures: int = 0
    down_s: float = 0.0
    slow_s: float = 0.0
    hottest_c: float | None = None
    charge_j: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRecord:
    """Faults of a run.

    Attributes:
        events: in order of time.
        nodes: by name, every node of the cluster.
        links: by name, those that failed.
        answered: answered requests by the most that was done for one of their parts: ``first try``,
            ``retry``, ``hedge``, ``standby``, ``reassigned``.
        reasons: failed requests by why.
        used_j: joules of executions whose results an answer used.
        lost_j: joules of all others: cut off, superseded, or of requests that failed.
        attempts: tries of parts in all.
        recover_s: for each time that something went down (not slow), seconds until the first whole
            answer to a request that arrived after it; NaN where there was none.
    """

    events: tuple[FaultEvent, ...] = ()
    nodes: Mapping[str, TargetFaults] = field(default_factory=dict)
    links: Mapping[str, TargetFaults] = field(default_factory=dict)
    answered: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    used_j: float = 0.0
    lost_j: float = 0.0
    attempts: int = 0
    recover_s: tuple[float, ...] = ()
