"""Results of each point of a study: values of ``summary.json``, and functions of several values.

``latency_s.p99`` is one number of the summary. ``max(nodes.*.utilization)`` is the largest of all
nodes; ``min``, ``mean`` and ``sum`` work likewise, and ``count(nodes)`` is the number of nodes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgesim.common.errors import InputError, nearest
from edgesim.results.metrics import SCALARS, Metric
from edgesim.results.ranges import LATENCIES, RANGE
from edgesim.results.statistics import PERCENTILES
from edgesim.results.summary import SUMMARY, value_at
from edgesim.sweep.table import Cell, Column

DEFAULT = (
    "latency_s.mean", "latency_s.p50", "latency_s.p99", "throughput_per_s", "energy_j.per_request",
    "max(nodes.*.utilization)", "plan.capacity_per_s", "requests.failed",
)  # fmt: skip
"""Results unless a study says which; and ``accuracy.top1`` where the model has a measured one."""
RANGES = tuple(
    f"range_90.{name}.{end}"
    for name in ("latency_s.p50", "latency_s.p99", "energy_j.per_request")
    for end in ("low", "high")
)
"""Besides, where a study has ranges."""
ACCURACY = "accuracy.top1"

SETTLED = "settled"
"""Column of every study: whether the queue of a point settled, 0 or 1."""

_SINGLE: dict[str, tuple[Metric[Any], tuple[str | int, ...]]] = {}
"""Metric and path of what is one value."""
_MEMBERS: dict[str, dict[str, Metric[Any]]] = {}
"""Mappings of the summary by name of a node, link or baseline, and what each entry has; nothing
where the entries are numbers themselves."""
_ENTRIES: dict[str, Metric[Any]] = {}
"""Mappings whose entries are numbers themselves."""
for _path, _metric in SUMMARY.walk():
    _scalar = _metric.kind in (*SCALARS, "texts") and _metric.column
    if "*" not in _path and _scalar:
        _SINGLE[".".join(_path)] = _metric, _path
    elif _path == ("confidence_95",):
        for _name in ("mean", *PERCENTILES):
            for _index, _end in enumerate(("low", "high")):
                _SINGLE[".".join((*_path, _name, _end))] = _metric, (*_path, _name, _index)
    elif _path[0] == RANGE.name and _metric.kind in ("range", "ranges"):
        for _name in LATENCIES if _metric.kind == "ranges" else ("",):
            for _index, _end in enumerate(("low", "high")):
                _keys = (*_path, *([_name] if _name else []))
                _SINGLE[".".join((*_keys, _end))] = _metric, (*_keys, _index)
    elif "*" not in _path and _metric.kind == "numbers":
        _ENTRIES[".".join(_path)] = _metric
        _MEMBERS[".".join(_path)] = {}
    elif len(_path) == 3 and _scalar:
        _MEMBERS.setdefault(_path[0], {})[_path[2]] = _metric
_SINGLE[SETTLED] = (
    Metric(SETTLED, "", "Whether the queue settled: latencies do not grow with the length of the "
           "run.", kind="flag"),
    (SETTLED,),
)  # fmt: skip
_CALL = re.compile(r"(count|max|min|mean|sum)\((.*)\)")
_TEXTS = ("text", "texts")
_MERGES: dict[str, Callable[[Sequence[float]], float]] = {
    "max": max, "min": min, "sum": math.fsum, "mean": lambda some: math.fsum(some) / len(some),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultColumn:
    """One result.

    Attributes:
        column: column of the table.
        merge: ``max``, ``min``, ``mean``, ``sum`` or ``count`` of several; empty for one value.
        mapping: part of the summary that holds one entry for each name, such as ``nodes``.
        member: name of the entry; ``*`` for all.
        leaf: key of the value in each entry; empty where the entry is the number itself.
        path: keys of a value that is in no such mapping.
    """

    column: Column
    merge: str = ""
    mapping: str = ""
    member: str = ""
    leaf: str = ""
    path: tuple[str | int, ...] = ()

    @property
    def of_baselines(self) -> bool:
        """Whether baselines have to be simulated for it."""
        return self.mapping == "baselines"

    @property
    def of_ranges(self) -> bool:
        """Whether ranges have to be simulated for it."""
        return self.path[:1] == (RANGE.name,)

    def of(self, summary: Mapping[str, Any]) -> Cell:
        """Return the cell that a summary gives; None where it has no such number."""
        if self.path:
            return self._cell(value_at(summary, self.path))
        entries = value_at(summary, self.mapping.split("."))
        leaf = [self.leaf] if self.leaf else []
        if self.merge == "count":
            return len(entries)
        if not self.merge:
            return self._cell(value_at(entries, [self.member, *leaf]))
        values = [value_at(entry, leaf) for entry in entries.values()]
        numbers = [float(value) for value in values if value is not None]
        return self._cell(_MERGES[self.merge](numbers) if numbers else None)

    def _cell(self, value: Any) -> Cell:
        """Return a cell of the column's kind: the same number is always the same text."""
        if value is None:
            return None
        if self.column.kind == "text":
            return "; ".join(map(str, value)) or None if isinstance(value, list) else str(value)
        return int(value) if self.column.integer else float(value)


def result_column(text: str) -> ResultColumn:
    """Return the result that a study names.

    Raises:
        InputError: a summary has no such number; the message names the nearest.
    """
    name = "".join(text.split())
    call = _CALL.fullmatch(name)
    if call is not None:
        return _merged(name, call[1], call[2])
    if name in _SINGLE:
        metric, path = _SINGLE[name]
        return ResultColumn(column=_column(name, metric), path=path)
    for mapping, leaves in _MEMBERS.items():
        if not name.startswith(f"{mapping}."):
            continue
        rest = name.removeprefix(f"{mapping}.")
        if not leaves:
            return ResultColumn(
                column=_column(name, _ENTRIES[mapping]), mapping=mapping, member=rest
            )
        member, _, leaf = rest.rpartition(".")
        if member and leaf in leaves:
            if member == "*":
                break
            column = _column(name, leaves[leaf])
            return ResultColumn(column=column, mapping=mapping, member=member, leaf=leaf)
        if member:
            near = nearest(leaf, list(leaves))
            raise InputError(
                f"'{leaf}' is nothing that {mapping} have{near}; they have {', '.join(leaves)}"
            )
    if "*" in name:
        raise InputError(f"'*' goes with max, min, mean or sum, as in max({name})")
    if name == "wall_s" or name.startswith("versions"):
        raise InputError(f"'{name}' differs between runs of the same scenario; keep another result")
    members = (f"{one}.NAME.{leaf}" for one, leaves in _MEMBERS.items() for leaf in leaves)
    known = sorted([*_SINGLE, *members])
    raise InputError(
        f"no result is named '{name[:60]}'{nearest(name, known)}; results have the names of "
        "summary.json (`edgesim schema --result`), or are max(nodes.*.utilization), count(nodes)"
    )


def _merged(name: str, merge: str, inside: str) -> ResultColumn:
    if merge == "count":
        if inside not in ("nodes", "links", "warnings"):
            message = "expected count(nodes), count(links) or count(warnings)"
            raise InputError(f"{message}, got '{name[:60]}'")
        return ResultColumn(column=Column(name=name, role="result", integer=True), merge=merge,
                    mapping=inside)  # fmt: skip
    mapping, star, leaf = inside.partition(".*")
    leaf = leaf.removeprefix(".")
    leaves = _MEMBERS.get(mapping)
    if not star or leaves is None:
        raise InputError(
            f"expected {merge} of all entries, as in {merge}(nodes.*.utilization), "
            f"got '{name[:60]}'"
        )
    known = [one for one, metric in leaves.items() if metric.kind not in _TEXTS]
    if leaf not in known if leaves else leaf:
        entries_text = (
            f"; they have {', '.join(known)}" if known else ", as they are numbers themselves"
        )
        raise InputError(
            f"'{leaf[:60]}' is no number of {mapping}{nearest(leaf, known)}{entries_text}"
        )
    column = _column(
        name, leaves[leaf] if leaf else _ENTRIES[mapping], whole=merge in ("max", "min")
    )
    return ResultColumn(column=column, merge=merge, mapping=mapping, member="*", leaf=leaf)


def _column(name: str, metric: Metric[Any], *, whole: bool = True) -> Column:
    return Column(
        name=name,
        role="result",
        kind="text" if metric.kind in _TEXTS else "number",
        unit=metric.unit,
        integer=whole and metric.kind in ("whole", "flag"),
    )
