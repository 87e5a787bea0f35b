"""Energy of devices by part, for the console and the page: where a device tells parts apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgesim.common.text import joules, percent

TITLE = "Energy by part"
_MOST_DEVICES = 4


def devices(summary: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return joules by device and part, all nodes of a device together; at most four devices."""
    found: dict[str, dict[str, float]] = {}
    for node in summary["nodes"].values():
        for part, value in node.get("energy_by_part_j", {}).items():
            parts = found.setdefault(node["device"], {})
            parts[part] = parts.get(part, 0.0) + value
    largest = sorted(found, key=lambda name: -sum(found[name].values()))[:_MOST_DEVICES]
    return {name: found[name] for name in found if name in largest}


def rows(found: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """Return a row for each part with joules and share on every device, the largest first."""
    totals = {name: sum(parts.values()) for name, parts in found.items()}
    shares: dict[str, float] = {}
    for name, parts in found.items():
        for part, value in parts.items():
            share = value / totals[name] if totals[name] else 0.0
            shares[part] = max(shares.get(part, 0.0), share)
    made = []
    for part in sorted((part for part in shares if shares[part]), key=lambda one: -shares[one]):
        cells = [part]
        for name, parts in found.items():
            value = parts.get(part, 0.0)
            cells += [joules(value), percent(value / totals[name])] if value else ["", ""]
        made.append(cells)
    return made
